//! How a resource describes what it answers, beside its handlers. Method, path and scope are
//! not said here: they come from the row of the table.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::access::routes::Route;
use crate::api::answer::List;

/// Writes the schema of a type.
pub type WriteSchema = fn(&mut SchemaGenerator) -> Schema;

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Operations that belong together.
#[derive(Debug)]
pub struct Resource {
    /// Its name, which is also its place in the pages.
    pub name: &'static str,
    /// What it is, in a sentence or two.
    pub says: &'static str,
    /// What can be done with it, in the order in which people need it.
    pub operations: Vec<Operation>,
}

/// What a parameter of the address takes.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// Any text.
    Text,
    /// An instant.
    Instant,
    /// One of the names that a schema lists.
    OneOf(WriteSchema),
}

impl Takes {
    /// One of the names of a type.
    pub fn one_of<T: JsonSchema>() -> Self {
        Self::OneOf(schema_of::<T>)
    }
}

/// A parameter of the address that is no cursor.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What it asks for.
    pub says: &'static str,
}

/// A body that an operation takes.
#[derive(Debug, Clone, Copy)]
pub struct Body {
    /// Its schema.
    pub schema: WriteSchema,
    /// Whether it may be left out.
    pub is_optional: bool,
}

/// One answer to a request that was not refused.
#[derive(Debug, Clone, Copy)]
pub struct Answered {
    /// HTTP's number for it.
    pub status: u16,
    /// What it says.
    pub says: &'static str,
    /// The schema of its body.
    pub schema: WriteSchema,
}

/// One row of the table, described.
#[derive(Debug)]
pub struct Operation {
    /// The row.
    pub route: Route,
    /// The name that clients made from the document call it by.
    pub id: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// What else there is to know.
    pub says: &'static str,
    /// Filters of the address.
    pub filters: Vec<Filter>,
    /// Whether it takes `limit` and `starting_after`, with what the cursor is.
    pub cursor: Option<&'static str>,
    /// The body it takes.
    pub body: Option<Body>,
    /// Whether it compares the revision that was edited.
    pub is_conditional: bool,
    /// Whether its answer holds a secret, so that no `Idempotency-Key` is taken.
    pub is_secret: bool,
    /// How it answers.
    pub answers: Vec<Answered>,
    /// Codes of refusals of its own, by status.
    pub refusals: Vec<(u16, &'static [&'static str])>,
}

impl Operation {
    /// A row that does something.
    pub const fn new(route: Route, id: &'static str, summary: &'static str) -> Self {
        Self {
            route,
            id,
            summary,
            says: "",
            filters: Vec::new(),
            cursor: None,
            body: None,
            is_conditional: false,
            is_secret: false,
            answers: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// What else there is to know.
    #[must_use]
    pub const fn says(mut self, words: &'static str) -> Self {
        self.says = words;
        self
    }

    /// A filter of its list.
    #[must_use]
    pub fn filter(mut self, name: &'static str, takes: Takes, says: &'static str) -> Self {
        self.filters.push(Filter { name, takes, says });
        self
    }

    /// Takes a body; a type without any field that has to be there may be left out.
    #[must_use]
    pub fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Body {
            schema: schema_of::<T>,
            is_optional: false,
        });
        self
    }

    /// Takes a body that may be left out.
    #[must_use]
    pub fn may_take<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Body {
            schema: schema_of::<T>,
            is_optional: true,
        });
        self
    }

    /// Compares the revision that was edited (`If-Match`, `If-None-Match`).
    #[must_use]
    pub const fn conditional(mut self) -> Self {
        self.is_conditional = true;
        self
    }

    /// Answers with a secret.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// Answers with one value.
    #[must_use]
    pub fn answers<T: JsonSchema>(mut self, status: u16, says: &'static str) -> Self {
        self.answers.push(Answered {
            status,
            says,
            schema: schema_of::<T>,
        });
        self
    }

    /// Answers with a page of rows of a type; `cursor` is what `starting_after` takes.
    #[must_use]
    pub fn lists<T: JsonSchema>(mut self, cursor: &'static str) -> Self {
        self.cursor = Some(cursor);
        self.lists_all::<T>()
    }

    /// Answers with all rows at once.
    #[must_use]
    pub fn lists_all<T: JsonSchema>(self) -> Self {
        self.answers::<List<T>>(200, "A page of the list.")
    }

    /// Refuses with these codes, beside those that every operation of its kind has.
    #[must_use]
    pub fn refuses(mut self, status: u16, codes: &'static [&'static str]) -> Self {
        self.refusals.push((status, codes));
        self
    }

    /// The names of all parameters of the address that it takes.
    pub fn parameter_names(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if self.cursor.is_some() {
            names.extend(["limit", "starting_after"]);
        }
        names.extend(self.filters.iter().map(|filter| filter.name));
        names
    }
}
