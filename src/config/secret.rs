//! Secrets in memory: they never show in `Debug`, logs or `config show`.
//! Not encryption at rest: that is the store's.

/// What stands where a secret would be shown.
const REDACTED: &str = "[redacted]";

/// A value that is shown to nobody. It holds at least one character that is not blank.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret, without the blanks around it; `None` if nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The secret itself; name the reason at the place of use.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Secret {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(REDACTED)
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(REDACTED)
    }
}

/// A URL that may carry a password, shown with the password left out.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// Wraps a URL; `None` if it is blank.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The URL with its password.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The URL as it may be shown: user information is masked and parameters are left out,
    /// because drivers also take passwords there.
    pub fn redacted(&self) -> String {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", &self.0));
        let (rest, parameters) = match rest.split_once('?') {
            Some((rest, _)) => (rest, "?…"),
            None => (rest, ""),
        };
        let rest = match rest.rsplit_once('@') {
            Some((user, host)) => {
                let user = user.split(':').next().unwrap_or_default();
                format!("{user}:{REDACTED}@{host}")
            }
            None => rest.to_owned(),
        };
        if scheme.is_empty() {
            format!("{rest}{parameters}")
        } else {
            format!("{scheme}://{rest}{parameters}")
        }
    }
}

impl std::fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.redacted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_to_nobody() {
        let secret = Secret::new(" whsec_abc\n").unwrap();
        assert_eq!(secret.expose(), "whsec_abc");
        assert_eq!(
            format!("{secret:?} {secret} {secret:#?}"),
            "[redacted] [redacted] [redacted]"
        );
        assert_eq!(Secret::new(" \t\n"), None);
    }

    #[test]
    fn a_url_loses_its_password_wherever_it_is() {
        let shown = |url| format!("{:?}", SecretUrl::new(url).unwrap());
        for (url, expected) in [
            ("sqlite://./data/q.db", "sqlite://./data/q.db"),
            (
                "postgres://ana:p@ss:w@db:5432/q",
                "postgres://ana:[redacted]@db:5432/q",
            ),
            ("postgres://db/q?user=ana&password=x", "postgres://db/q?…"),
            ("smtp://bob@mail", "smtp://bob:[redacted]@mail"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }
}
