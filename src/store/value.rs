//! Values on their way into a statement. PostgreSQL refuses the character NUL in texts, and people can put
//! it nearly anywhere, so it is replaced here, for every statement.

use std::borrow::Cow;

/// A value that a statement takes.
pub(super) trait Value {
    /// The form in which it is bound.
    type Stored;

    /// The form in which it is bound.
    fn stored(self) -> Self::Stored;
}

impl<'a> Value for &'a str {
    type Stored = Cow<'a, str>;

    fn stored(self) -> Cow<'a, str> {
        if self.contains('\0') {
            self.replace('\0', "\u{fffd}").into()
        } else {
            self.into()
        }
    }
}

impl<'a> Value for &'a String {
    type Stored = Cow<'a, str>;

    fn stored(self) -> Cow<'a, str> {
        self.as_str().stored()
    }
}

impl Value for i64 {
    type Stored = Self;

    fn stored(self) -> Self {
        self
    }
}

impl Value for &i64 {
    type Stored = i64;

    fn stored(self) -> i64 {
        *self
    }
}

impl Value for bool {
    type Stored = Self;

    fn stored(self) -> Self {
        self
    }
}
