mod fits;
mod follow;
mod rows;
mod same;
