//! Checks: what was looked at, what was found and what to do about it. For people, and for the admin API
//! (DESIGN 6.3).

use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub check: &'static str,
    /// Whether it is as it has to be.
    pub ok: bool,
    /// What was found.
    pub detail: String,
    /// What to do about it. Empty where nothing is; beside `ok` it is advice.
    pub mend: String,
    /// Whether it was not looked at, because another check failed; left out where it was.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub untried: bool,
}

/// The checks of one look, in the order in which things break.
#[derive(Debug, Default)]
pub struct Checks(Vec<Check>);

impl Checks {
    /// It is as it has to be.
    pub fn passed(&mut self, check: &'static str, detail: impl Into<String>) {
        self.add(check, true, detail, "");
    }

    /// It works, but better could be done.
    pub fn advised(&mut self, check: &'static str, detail: impl Into<String>, mend: impl Into<String>) {
        self.add(check, true, detail, mend);
    }

    /// It is not as it has to be.
    pub fn failed(&mut self, check: &'static str, detail: impl Into<String>, mend: impl Into<String>) {
        self.add(check, false, detail, mend);
    }

    /// It could not be looked at, because another check failed.
    pub fn untried(&mut self, check: &'static str, because_of: &str) {
        self.0.push(Check {
            check,
            ok: false,
            detail: "not tried".to_owned(),
            mend: format!("mend {because_of} first, then look again"),
            untried: true,
        });
    }

    /// Whether all passed so far.
    pub fn all_passed(&self) -> bool {
        self.0.iter().all(|check| check.ok)
    }

    /// Those that passed and come with advice.
    pub fn into_advice(self) -> Vec<Check> {
        let passed = self.0.into_iter();
        passed
            .filter(|check| check.ok && !check.mend.is_empty())
            .collect()
    }

    /// The checks.
    pub fn into_vec(self) -> Vec<Check> {
        self.0
    }

    fn add(&mut self, check: &'static str, ok: bool, detail: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Check {
            check,
            ok,
            detail: detail.into(),
            mend: mend.into(),
            untried: false,
        });
    }
}
