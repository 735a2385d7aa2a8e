mod fits;
mod rows;
mod same;
