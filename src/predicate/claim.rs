//! The one type of all our predicates.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use predicates::Predicate;
use predicates::reflection::{Case, PredicateReflection, Product};

/// A statement about a `T` that is true or false, and says what it found.
///
/// Make your own from what it states and a function that judges:
///
/// ```
/// use daemonproof::observe::View;
/// use daemonproof::predicate::{Claim, Finding};
///
/// let busy = Claim::new("it has more than 100 descriptors", |view: &View| match view.descriptors() {
///     Ok(found) => Finding::new(found.as_ref().present().is_some_and(|all| all.len() > 100)),
///     Err(error) => Finding::new(false).with("error", error),
/// });
/// assert_eq!(busy.to_string(), "it has more than 100 descriptors");
/// ```
pub struct Claim<T: ?Sized> {
    text: Cow<'static, str>,
    judge: Judge<T>,
}

type Judge<T> = Arc<dyn Fn(&T) -> Finding + Send + Sync>;

/// What a [`Claim`] came to: whether it holds, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    holds: bool,
    found: Vec<(&'static str, String)>,
}

impl Finding {
    /// A bare yes or no.
    pub fn new(holds: bool) -> Self {
        Self { holds, found: Vec::new() }
    }

    /// Adds what was found, under a name such as "session". Several lines are allowed.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.found.push((name, value.to_string()));
        self
    }

    /// Whether the claim holds.
    pub fn holds(&self) -> bool {
        self.holds
    }
}

impl<T: ?Sized> Claim<T> {
    /// A claim that states `text`, a sentence without its full stop, and is judged by `judge`.
    pub fn new(
        text: impl Into<Cow<'static, str>>,
        judge: impl Fn(&T) -> Finding + Send + Sync + 'static,
    ) -> Self {
        Self { text: text.into(), judge: Arc::new(judge) }
    }

    /// Judges `subject`.
    pub fn judge(&self, subject: &T) -> Finding {
        (self.judge)(subject)
    }
}

impl<T: ?Sized> Clone for Claim<T> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), judge: Arc::clone(&self.judge) }
    }
}

impl<T: ?Sized> fmt::Debug for Claim<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claim").field(&self.text).finish()
    }
}

impl<T: ?Sized> fmt::Display for Claim<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl<T: ?Sized> PredicateReflection for Claim<T> {}

impl<T: ?Sized> Predicate<T> for Claim<T> {
    fn eval(&self, subject: &T) -> bool {
        self.judge(subject).holds
    }

    fn find_case(&self, expected: bool, subject: &T) -> Option<Case<'_>> {
        let finding = self.judge(subject);
        (finding.holds == expected).then(|| {
            let case = Case::new(Some(self), finding.holds);
            finding
                .found
                .into_iter()
                .fold(case, |case, (name, value)| case.add_product(Product::new(name, value)))
        })
    }
}
