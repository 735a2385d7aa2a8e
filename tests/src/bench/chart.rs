//! A picture of a report: for each row a mark for everybody, by how much dearer it is than the reference.

use std::fmt::Write;

use super::report::{Report, Section};

/// Where names end and the axis begins and ends, in pixels.
const LEFT: f64 = 380.0;
const RIGHT: f64 = 940.0;
const WIDTH: f64 = 960.0;

/// From one row to the next.
const ROW: f64 = 20.0;

/// The ends of the axis, which is logarithmic.
const LEAST: f64 = 0.25;
const MOST: f64 = 80.0;

/// What is written at the axis.
const TICKS: [f64; 9] = [0.25, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0, 32.0];

/// Colours that can be told apart on white and on black, and by the colour-blind (Okabe and Ito), and a shape each.
const MARKS: [(&str, &str); 6] = [
    ("#0072b2", "circle"),
    ("#999999", "square"),
    ("#e69f00", "diamond"),
    ("#009e73", "square"),
    ("#d55e00", "circle"),
    ("#cc79a7", "diamond"),
];

/// The picture as SVG: all sections with ratios. The same report makes the same picture.
#[must_use]
pub fn svg(report: &Report) -> String {
    let sections: Vec<_> = report
        .sections
        .iter()
        .filter(|section| section.to.is_some() && !section.rows.is_empty())
        .collect();
    let mut everybody: Vec<&str> = Vec::new();
    for who in sections.iter().flat_map(|section| section.everybody()) {
        let reference = sections.iter().any(|s| s.control.as_deref() == Some(who));
        if !reference && !everybody.contains(&who) {
            everybody.push(who);
        }
    }
    let mut body = String::new();
    legend(&mut body, &everybody);
    let mut y = 2.0 * ROW + 10.0;
    for section in sections {
        y = draw(&mut body, section, &everybody, y);
    }
    let height = y + ROW / 2.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n<style>\n\
         text {{ fill: #1f2328 }} .axis {{ stroke: #8c959f; stroke-width: 0.5 }} .one {{ stroke-width: 1.5 }}\n\
         @media (prefers-color-scheme: dark) {{ text {{ fill: #e6edf3 }} }}\n</style>\n{body}</svg>\n"
    )
}

/// Draws a section from a height on; the height where it ends.
fn draw(body: &mut String, section: &Section, everybody: &[&str], top: f64) -> f64 {
    let to = section.to.as_deref().unwrap_or_default();
    let title = escaped(&format!("{}, to {to}", section.title));
    let _ = writeln!(
        body,
        "<text x=\"10\" y=\"{}\" font-weight=\"bold\">{title}</text>",
        top + 4.0
    );
    let first = top + ROW * 1.5;
    let last = first + ROW * section.rows.len() as f64;
    for tick in TICKS {
        let (x, class) = (at(tick), if tick == 1.0 { "axis one" } else { "axis" });
        let _ = writeln!(
            body,
            "<line class=\"{class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{}\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" font-size=\"10\">{tick}</text>",
            first - ROW / 2.0,
            last - ROW / 2.0,
            last + 2.0,
        );
    }
    for (row, y) in section.rows.iter().zip(0..) {
        let y = first + ROW * f64::from(y);
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LEFT - 10.0,
            y + 4.0,
            escaped(&row.name)
        );
        for (who, mark) in everybody.iter().zip(MARKS.iter().cycle()) {
            if let Some(cell) = row.cell(who) {
                let what = format!("{who}: {:.2}", cell.ratio.median);
                draw_mark(body, *mark, at(cell.ratio.median), y, &what);
            }
        }
    }
    last + ROW * 1.5
}

fn legend(body: &mut String, everybody: &[&str]) {
    for ((who, mark), number) in everybody.iter().zip(MARKS.iter().cycle()).zip(0..) {
        let x = 20.0 + 150.0 * f64::from(number);
        draw_mark(body, *mark, x, ROW, who);
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{}\">{}</text>",
            x + 10.0,
            ROW + 4.0,
            escaped(who)
        );
    }
}

fn draw_mark(body: &mut String, (colour, shape): (&str, &str), x: f64, y: f64, what: &str) {
    let title = escaped(what);
    let shape = match shape {
        "circle" => format!("<circle cx=\"{x:.1}\" cy=\"{y}\" r=\"5\""),
        "square" => format!(
            "<rect x=\"{:.1}\" y=\"{}\" width=\"9\" height=\"9\"",
            x - 4.5,
            y - 4.5
        ),
        _ => format!("<path d=\"M{x:.1} {} l6 6 l-6 6 l-6 -6 z\"", y - 6.0),
    };
    let _ = writeln!(
        body,
        "{shape} fill=\"{colour}\"><title>{title}</title></{}>",
        shape[1..].split(' ').next().unwrap_or_default()
    );
}

fn at(ratio: f64) -> f64 {
    let part = (ratio.clamp(LEAST, MOST) / LEAST).ln() / (MOST / LEAST).ln();
    LEFT + part * (RIGHT - LEFT)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::report;

    #[test]
    fn everybody_but_the_reference_has_a_mark_in_each_row_and_in_the_legend() {
        let picture = svg(&report(1.0, 1.25));
        assert_eq!(picture.matches("<circle").count(), 2, "{picture}");
        assert!(picture.contains("<title>ours, tc: 1.25</title>"));
        assert!(!picture.contains("empty program:"));
    }

    #[test]
    fn a_higher_ratio_is_further_right_and_twice_as_much_is_the_same_step() {
        assert!((at(2.0) - at(1.0) - (at(4.0) - at(2.0))).abs() < 1e-9);
        assert!(at(1000.0) <= RIGHT && at(0.001) >= LEFT);
    }

    #[test]
    fn names_cannot_break_the_picture() {
        let mut report = report(1.0, 1.25);
        report.sections[0].rows[0].name = "<b> & </svg>".into();
        assert!(svg(&report).contains("&lt;b&gt; &amp; &lt;/svg&gt;"));
    }
}
