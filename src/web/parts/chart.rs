//! A trend as bars: two counts a week, side by side. Whoever cannot see it opens the table
//! behind it.

use askama::Template;

use crate::web::format;

/// Height and width that the drawing is measured in; it is stretched to the page's width.
const HEIGHT: i64 = 160;
const STEP: i64 = 20;

/// The two counts of one span of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// What the span is called, `2026-03-02`.
    pub label: String,
    /// The first count.
    pub first: i64,
    /// The second.
    pub second: i64,
}

/// A chart with its table.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/chart.html", config = ".askama.toml")]
pub struct Trend {
    /// What it shows, in a sentence.
    pub title: String,
    /// What a span of time is, `Week of`.
    pub span: String,
    /// What the first count is.
    pub first: String,
    /// What the second is.
    pub second: String,
    /// Oldest first.
    pub points: Vec<Point>,
}

impl Trend {
    fn most(&self) -> i64 {
        let counts = self
            .points
            .iter()
            .map(|point| point.first.max(point.second));
        counts.max().unwrap_or(0).max(1)
    }

    fn width(&self) -> i64 {
        let points = i64::try_from(self.points.len()).unwrap_or(0);
        points.max(1) * STEP
    }

    fn height_of(&self, count: i64) -> i64 {
        // One unit of height stays free above the highest bar.
        let room = HEIGHT - 1;
        count.clamp(0, self.most()) * room / self.most()
    }

    fn y_of(&self, count: i64) -> i64 {
        HEIGHT - self.height_of(count)
    }

    fn begins(&self) -> &str {
        self.points.first().map_or("", |point| &point.label)
    }

    fn ends(&self) -> &str {
        self.points.last().map_or("", |point| &point.label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::samples::hold_part;

    #[test]
    fn a_chart_has_a_title_and_a_table() {
        let point = |label: &str, first, second| Point {
            label: label.to_owned(),
            first,
            second,
        };
        let trend = Trend {
            title: "Referrals by week".to_owned(),
            span: "Week of".to_owned(),
            first: "Referred".to_owned(),
            second: "Qualified".to_owned(),
            points: vec![point("2026-03-02", 8, 4), point("2026-03-09", 0, 0)],
        };
        hold_part("chart", &trend);
        let none = Trend {
            points: Vec::new(),
            ..trend
        };
        assert!(!none.to_string().contains("NaN"));
    }
}
