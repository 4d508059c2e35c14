//! Form fields as the GOV.UK design system has them: a label, a hint, the error above the
//! field in words, and all errors once more at the top of the page, each a link to its field.

use askama::Template;

/// One choice of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What it says.
    pub label: String,
    /// What it means.
    pub hint: String,
    /// Whether it is chosen.
    pub chosen: bool,
}

impl Choice {
    /// A choice.
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            label: label.into(),
            hint: String::new(),
            chosen: false,
        }
    }

    /// What it means.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Input(&'static str),
    Area {
        rows: u32,
        code: bool,
    },
    Select(Vec<Choice>),
    /// Radio buttons, or checkboxes if several may be chosen.
    Choices {
        of: Vec<Choice>,
        several: bool,
    },
    /// One checkbox.
    Tick {
        ticked: bool,
    },
}

/// One field of a form. Its `id` is its name, so that errors can lead to it, unless it is given
/// another.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/field.html", config = ".askama.toml")]
pub struct Field {
    name: String,
    id: String,
    label: String,
    hint: String,
    value: String,
    error: Option<String>,
    kind: Kind,
    autocomplete: &'static str,
    width: &'static str,
    hidden_label: bool,
    required: bool,
}

impl Field {
    fn new(name: &str, label: &str, kind: Kind) -> Self {
        Self {
            name: name.to_owned(),
            id: name.to_owned(),
            label: label.to_owned(),
            hint: String::new(),
            value: String::new(),
            error: None,
            kind,
            autocomplete: "",
            width: "",
            hidden_label: false,
            required: false,
        }
    }

    /// One line of text.
    pub fn text(name: &str, label: &str) -> Self {
        Self::new(name, label, Kind::Input("text"))
    }

    /// An email address.
    pub fn email(name: &str, label: &str) -> Self {
        Self::new(name, label, Kind::Input("email")).autocomplete("email")
    }

    /// A password; never written back into the page.
    pub fn password(name: &str, label: &str, autocomplete: &'static str) -> Self {
        Self::new(name, label, Kind::Input("password")).autocomplete(autocomplete)
    }

    /// A day.
    pub fn date(name: &str, label: &str) -> Self {
        Self::new(name, label, Kind::Input("date"))
    }

    /// What is looked for.
    pub fn search(name: &str, label: &str) -> Self {
        Self::new(name, label, Kind::Input("search"))
    }

    /// Several lines.
    pub fn area(name: &str, label: &str, rows: u32) -> Self {
        Self::new(name, label, Kind::Area { rows, code: false })
    }

    /// Several lines of a file.
    pub fn code(name: &str, label: &str, rows: u32) -> Self {
        Self::new(name, label, Kind::Area { rows, code: true })
    }

    /// One of several, in a list that opens.
    pub fn select(name: &str, label: &str, of: Vec<Choice>) -> Self {
        Self::new(name, label, Kind::Select(of))
    }

    /// One of a few, all of them seen.
    pub fn radios(name: &str, label: &str, of: Vec<Choice>) -> Self {
        let several = false;
        Self::new(name, label, Kind::Choices { of, several })
    }

    /// Any of a few.
    pub fn checks(name: &str, label: &str, of: Vec<Choice>) -> Self {
        let several = true;
        Self::new(name, label, Kind::Choices { of, several })
    }

    /// Yes or no; sends `yes` or nothing.
    pub fn tick(name: &str, label: &str, ticked: bool) -> Self {
        Self::new(name, label, Kind::Tick { ticked })
    }

    /// Another id than its name, where several forms of a page have such a field.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = id.into();
        self
    }

    /// What helps to fill it in.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// What stands in it; with choices, which is chosen.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        if let Kind::Select(of) | Kind::Choices { of, several: false } = &mut self.kind {
            for choice in of {
                choice.chosen = choice.value == self.value;
            }
        }
        self
    }

    /// What is wrong with it.
    #[must_use]
    pub fn error(mut self, error: Option<&str>) -> Self {
        self.error = error.map(str::to_owned);
        self
    }

    /// What browsers may fill it with.
    #[must_use]
    pub fn autocomplete(mut self, what: &'static str) -> Self {
        self.autocomplete = what;
        self
    }

    /// As wide as what is expected in it: `short` or `mid`.
    #[must_use]
    pub fn width(mut self, width: &'static str) -> Self {
        self.width = width;
        self
    }

    /// Shows the label to screen readers only, where the place says it to everybody else.
    #[must_use]
    pub fn hidden_label(mut self) -> Self {
        self.hidden_label = true;
        self
    }

    /// It has to be filled in.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    fn is_bad(&self) -> bool {
        self.error.is_some()
    }

    /// The ids of what describes it.
    fn described_by(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("{}-hint", self.id));
        let error = self.error.as_ref().map(|_| format!("{}-error", self.id));
        let ids: Vec<String> = hint.into_iter().chain(error).collect();
        ids.join(" ")
    }

    /// The first choice has the field's own id, so that an error leads to it.
    fn choice_id(&self, index: usize) -> String {
        match index {
            0 => self.id.clone(),
            _ => format!("{}-{index}", self.id),
        }
    }
}

/// Every error of a form, at the top of its page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Template)]
#[template(
    ext = "html",
    source = r##"{% if !of.is_empty() %}<div class="errors" role="alert" tabindex="-1" aria-labelledby="errors-title"><h2 id="errors-title">There is a problem</h2><ul>{% for (name, words) in of %}<li>{% if name.is_empty() %}{{ words }}{% else %}<a href="#{{ name }}">{{ words }}</a>{% endif %}</li>{% endfor %}</ul></div>{% endif %}"##
)]
pub struct Errors {
    /// (field, what is wrong); no field when it is about the whole.
    pub of: Vec<(String, String)>,
}

impl Errors {
    /// Nothing wrong so far.
    pub fn none() -> Self {
        Self::default()
    }

    /// Only this.
    pub fn one(name: impl Into<String>, words: impl Into<String>) -> Self {
        let mut errors = Self::none();
        errors.add(name, words);
        errors
    }

    /// Something wrong with a field, or with the whole (no name).
    pub fn add(&mut self, name: impl Into<String>, words: impl Into<String>) {
        self.of.push((name.into(), words.into()));
    }

    /// What is wrong with a field.
    pub fn at(&self, name: &str) -> Option<&str> {
        let found = self.of.iter().find(|(field, _)| field == name);
        found.map(|(_, words)| words.as_str())
    }

    /// Whether anything is wrong.
    pub fn any(&self) -> bool {
        !self.of.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::samples::hold_part;

    #[test]
    fn a_field_says_what_is_wrong_and_is_led_to() {
        let errors = Errors::one("email", "Enter an email address");
        let field = Field::email("email", "Email address")
            .hint("Where the link goes")
            .value("\"><script>")
            .error(errors.at("email"));
        hold_part("errors", &errors);
        hold_part("field", &field);
    }

    #[test]
    fn one_choice_is_chosen() {
        let of = || {
            vec![
                Choice::new("a", "A"),
                Choice::new("b", "B").hint("the other"),
            ]
        };
        let pick = |field: Field| field.value("b");
        hold_part("radios", &pick(Field::radios("pick", "Pick one", of())));
        hold_part("select", &pick(Field::select("pick", "Pick one", of())));
        hold_part("tick", &Field::tick("yes", "Really", true));
    }

    #[test]
    fn a_password_is_never_written_back() {
        let field = Field::password("password", "Password", "current-password").value("secret");
        assert!(!field.to_string().contains("secret"));
    }
}
