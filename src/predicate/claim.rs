//! The one type of all our predicates.

use std::borrow::Cow;
use std::fmt;
use std::ops::Not;
use std::sync::Arc;

use predicates::Predicate;
use predicates::reflection::{Case, PredicateReflection, Product};

use super::printable::{block, line};

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
///     Err(error) => Finding::unknown().with("error", error),
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
    /// `None` if it could not be judged.
    verdict: Option<bool>,
    found: Vec<(Cow<'static, str>, String)>,
}

impl Finding {
    /// A bare yes or no.
    pub fn new(holds: bool) -> Self {
        Self { verdict: Some(holds), found: Vec::new() }
    }

    /// Neither the claim nor its opposite holds: what it speaks of is not there, or could not be read.
    pub fn unknown() -> Self {
        Self { verdict: None, found: Vec::new() }
    }

    /// Adds what was found, under a name such as "session", which may be empty. Several lines are allowed.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl fmt::Display) -> Self {
        self.found.push((name.into(), block(&value.to_string()).into_owned()));
        self
    }

    /// Whether the claim holds.
    pub fn holds(&self) -> bool {
        self.verdict == Some(true)
    }

    /// Whether it could be told at all; if not, the claim does not hold.
    pub fn is_known(&self) -> bool {
        self.verdict.is_some()
    }

    fn opposite(mut self) -> Self {
        self.verdict = self.verdict.map(|holds| !holds);
        self
    }
}

impl<T: ?Sized> Claim<T> {
    /// A claim that states `text`, a sentence without its full stop, and is judged by `judge`.
    pub fn new(
        text: impl Into<Cow<'static, str>>,
        judge: impl Fn(&T) -> Finding + Send + Sync + 'static,
    ) -> Self {
        let text = text.into();
        let text = match line(&text) {
            Cow::Owned(printable) => Cow::Owned(printable),
            Cow::Borrowed(_) => text,
        };
        Self { text, judge: Arc::new(judge) }
    }

    /// Judges `subject`.
    pub fn judge(&self, subject: &T) -> Finding {
        (self.judge)(subject)
    }
}

impl<T: ?Sized + 'static> Claim<T> {
    /// The opposite.
    ///
    /// It does not hold either of what is not there or could not be read, as the `not` of the crate `predicates` would,
    /// which this one hides.
    ///
    /// ```
    /// use daemonproof::observe::View;
    /// use daemonproof::predicate::session_leader;
    /// use nix::unistd::Pid;
    /// use predicates::prelude::*;
    ///
    /// let nobody = View::of(Pid::from_raw(i32::MAX));
    /// assert!(!session_leader().eval(&nobody));
    /// assert!(!session_leader().not().eval(&nobody));
    /// ```
    #[must_use]
    // It is implemented, too, but a method of a trait would not hide the other one.
    #[allow(clippy::should_implement_trait)]
    pub fn not(self) -> Self {
        let text = format!("it is not so that {}", self.text);
        Self::new(text, move |subject: &T| self.judge(subject).opposite())
    }
}

/// As [`Claim::not`].
impl<T: ?Sized + 'static> Not for Claim<T> {
    type Output = Self;

    fn not(self) -> Self {
        Claim::not(self)
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
        self.judge(subject).holds()
    }

    fn find_case(&self, expected: bool, subject: &T) -> Option<Case<'_>> {
        let finding = self.judge(subject);
        (finding.holds() == expected).then(|| {
            let case = Case::new(Some(self), expected);
            finding
                .found
                .into_iter()
                .fold(case, |case, (name, value)| case.add_product(Product::new(name, value)))
        })
    }
}
