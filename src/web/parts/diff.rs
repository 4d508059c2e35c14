//! Two texts, line by line: what was taken away and what was added.

use askama::Template;

/// Comparisons of lines at most; beyond that everything in the middle counts as changed.
const COMPARISONS_MAX: usize = 4_000_000;
/// Unchanged lines that are shown around a change.
const AROUND: usize = 3;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiffLine {
    /// In both.
    Same(String),
    /// Only in the later text.
    Added(String),
    /// Only in the earlier text.
    Removed(String),
    /// So many lines, the same in both, that are not shown.
    Skipped(usize),
}

/// What changed between two texts.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r#"{% if self.is_same() %}<p class="muted">No difference.</p>{% else %}<div class="diff" role="region" aria-label="{{ label }}" tabindex="0"><table><tbody>{% for line in lines %}{% match line %}{% when DiffLine::Same(text) %}<tr><td></td><td>{{ text }}</td></tr>{% when DiffLine::Added(text) %}<tr class="add"><td><span class="hidden">added</span><span aria-hidden="true">+</span></td><td><ins>{{ text }}</ins></td></tr>{% when DiffLine::Removed(text) %}<tr class="del"><td><span class="hidden">removed</span><span aria-hidden="true">−</span></td><td><del>{{ text }}</del></td></tr>{% when DiffLine::Skipped(count) %}<tr><td></td><td class="muted">… {{ count }} lines that are the same</td></tr>{% endmatch %}{% endfor %}</tbody></table></div>{% endif %}"#
)]
pub struct Diff {
    label: String,
    lines: Vec<DiffLine>,
}

impl Diff {
    /// From the earlier text to the later one.
    pub fn new(label: impl Into<String>, earlier: &str, later: &str) -> Self {
        let (a, b): (Vec<&str>, Vec<&str>) = (earlier.lines().collect(), later.lines().collect());
        Self {
            label: label.into(),
            lines: shortened(compare(&a, &b)),
        }
    }

    /// Whether the texts are the same, line by line.
    pub fn is_same(&self) -> bool {
        let same = |line: &DiffLine| matches!(line, DiffLine::Same(_) | DiffLine::Skipped(_));
        self.lines.iter().all(same)
    }

    /// The lines as they are shown.
    pub fn lines(&self) -> &[DiffLine] {
        &self.lines
    }
}

fn compare(a: &[&str], b: &[&str]) -> Vec<DiffLine> {
    let head = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a_rest, b_rest) = (a.get(head..).unwrap_or(&[]), b.get(head..).unwrap_or(&[]));
    let backwards = a_rest.iter().rev().zip(b_rest.iter().rev());
    let tail = backwards.take_while(|(x, y)| x == y).count();
    let a_middle = a_rest.get(..a_rest.len() - tail).unwrap_or(&[]);
    let b_middle = b_rest.get(..b_rest.len() - tail).unwrap_or(&[]);
    let same = |line: &&str| DiffLine::Same((*line).to_owned());
    let mut lines: Vec<DiffLine> = a.iter().take(head).map(same).collect();
    lines.extend(middle(a_middle, b_middle));
    lines.extend(a.iter().skip(a.len() - tail).map(same));
    lines
}

/// The longest common subsequence, by the table of all suffixes.
fn middle(a: &[&str], b: &[&str]) -> Vec<DiffLine> {
    let removed = |line: &&str| DiffLine::Removed((*line).to_owned());
    let added = |line: &&str| DiffLine::Added((*line).to_owned());
    if a.len().saturating_mul(b.len()) > COMPARISONS_MAX {
        let lines = a.iter().map(removed).chain(b.iter().map(added));
        return lines.collect();
    }
    let width = b.len() + 1;
    let mut common = vec![0_u32; (a.len() + 1) * width];
    let at =
        |table: &[u32], up: usize, down: usize| table.get(up * width + down).copied().unwrap_or(0);
    for (up, old) in a.iter().enumerate().rev() {
        for (down, new) in b.iter().enumerate().rev() {
            let best = if old == new {
                at(&common, up + 1, down + 1) + 1
            } else {
                at(&common, up + 1, down).max(at(&common, up, down + 1))
            };
            if let Some(cell) = common.get_mut(up * width + down) {
                *cell = best;
            }
        }
    }
    let (mut up, mut down, mut lines) = (0, 0, Vec::new());
    loop {
        match (a.get(up), b.get(down)) {
            (Some(old), Some(new)) if old == new => {
                lines.push(DiffLine::Same((*old).to_owned()));
                (up, down) = (up + 1, down + 1);
            }
            (Some(old), new)
                if new.is_none() || at(&common, up + 1, down) >= at(&common, up, down + 1) =>
            {
                lines.push(removed(old));
                up += 1;
            }
            (_, Some(new)) => {
                lines.push(added(new));
                down += 1;
            }
            _ => return lines,
        }
    }
}

/// Long runs of what is the same become one line that counts them.
fn shortened(lines: Vec<DiffLine>) -> Vec<DiffLine> {
    let changed: Vec<bool> = lines
        .iter()
        .map(|line| !matches!(line, DiffLine::Same(_)))
        .collect();
    let near = |index: usize| {
        let from = index.saturating_sub(AROUND);
        let around = changed.get(from..changed.len().min(index + AROUND + 1));
        around.is_some_and(|around| around.contains(&true))
    };
    let mut out = Vec::new();
    for (index, line) in lines.into_iter().enumerate() {
        if near(index) {
            out.push(line);
        } else if let Some(DiffLine::Skipped(count)) = out.last_mut() {
            *count += 1;
        } else {
            out.push(DiffLine::Skipped(1));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs(earlier: &str, later: &str) -> String {
        let sign = |line: &DiffLine| match line {
            DiffLine::Same(text) => format!(" {text}"),
            DiffLine::Added(text) => format!("+{text}"),
            DiffLine::Removed(text) => format!("-{text}"),
            DiffLine::Skipped(count) => format!("…{count}"),
        };
        let lines: Vec<String> = Diff::new("x", earlier, later)
            .lines()
            .iter()
            .map(sign)
            .collect();
        lines.join("|")
    }

    #[test]
    fn lines_are_kept_added_and_removed() {
        assert_eq!(signs("a\nb\nc", "a\nx\nc"), " a|-b|+x| c");
        assert_eq!(signs("", "a"), "+a");
        assert_eq!(signs("a", ""), "-a");
        assert_eq!(signs("a\nb\nc\nd", "b\nd\ne"), "-a| b|-c| d|+e");
        assert!(Diff::new("x", "a\nb", "a\nb").is_same());
    }

    #[test]
    fn what_is_far_from_a_change_is_counted() {
        let long = "1\n2\n3\n4\n5\n6\n7\n8";
        assert_eq!(signs(long, &format!("{long}\n9")), "…5| 6| 7| 8|+9");
    }

    #[test]
    fn texts_of_very_many_lines_end() {
        let (a, b) = ("a\nx\n".repeat(16_000), "b\ny\n".repeat(16_000));
        assert_eq!(Diff::new("x", &a, &b).lines().len(), 64_000);
    }
}
