//! Why a step failed.

use std::error::Error as StdError;
use std::fmt;
use std::panic::Location;

/// What a step returns that may fail. [`Error`] takes in any error by `?`.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Any error, with the place in the flow where `?`, or `.into()`, made it one.
///
/// It comes from every type that is a [`std::error::Error`], from strings, and from other such
/// boxes (`anyhow::Error` among them). Only a `Box<dyn Error + Send + Sync>`, or one that is just
/// `Send`, is not taken in by `?` alone, for which Rust has no way: [`Context`] takes it,
/// `.context("reading")?`, and a step may return it as it is.
///
/// ```
/// use wflow_sdk::prelude::*;
///
/// fn parse(text: &str) -> Result<f64> {
///     let value: f64 = text.trim().parse().context("no number")?;
///     ensure!(value > 0.0, "{value} is too small");
///     if value > 1e6 {
///         Err("too large")?;
///     }
///     Ok(value)
/// }
/// let error = parse("abc").unwrap_err();
/// assert_eq!(error.to_string(), "no number: invalid float literal");
/// assert_eq!(error.kind(), "ParseFloatError");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    /// The name of the type that it was.
    origin: &'static str,
    /// What was going on, the latest last.
    context: Vec<String>,
    source: Box<dyn StdError>,
    location: Option<&'static Location<'static>>,
}

impl Error {
    /// An error that is nothing but a message.
    #[track_caller]
    pub fn msg(message: impl fmt::Display) -> Self {
        message.to_string().into()
    }

    /// What kind of error it is: the name of its type, as `ParseIntError` or `io::Error`;
    /// empty if it is only a message, or a box that may hold any error.
    pub fn kind(&self) -> String {
        let path = self.0.origin.split('<').next().unwrap_or_default();
        let last = path.rsplit("::").next().unwrap_or_default();
        let mut modules =
            path.split("::").skip_while(|part| matches!(*part, "std" | "core" | "alloc"));
        let krate = modules.next().unwrap_or_default();
        match (krate, last) {
            ("anyhow", _) | (_, "&str" | "String" | "Cow" | "Box" | "CodecError") => String::new(),
            (_, "Error") => format!("{krate}::Error"),
            _ => last.to_owned(),
        }
    }

    /// Where in the flow it came up, if that is known.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.0.location
    }

    /// The error that it was made from.
    pub fn source(&self) -> &(dyn StdError + 'static) {
        &*self.0.source
    }

    /// Says what was going on, which is put before the message.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.0.context.push(context.to_string());
        self
    }

    /// An error that came up in here, of which the flow's author knows no place.
    pub(crate) fn inner(error: impl Into<Box<dyn StdError>>) -> Self {
        let mut error = Self::from(error);
        error.0.location = None;
        error
    }

    /// The same, without a place.
    pub(crate) fn nowhere(mut self) -> Self {
        self.0.location = None;
        self
    }

    /// The same, at the place that called in here.
    pub(crate) fn at(mut self, location: &'static Location<'static>) -> Self {
        self.0.location = Some(location);
        self
    }

    /// The causes, one a line, or nothing if there is no other than the error itself.
    pub(crate) fn chain(&self) -> String {
        let mut chain = String::new();
        let mut cause = self.0.source.source();
        while let Some(error) = cause {
            chain.push_str("caused by: ");
            chain.push_str(&error.to_string());
            chain.push('\n');
            cause = error.source();
        }
        chain
    }
}

/// What `?` makes an [`Error`] of.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not become a `wflow_sdk::Error` by itself",
    label = "`?` takes in any type of `std::error::Error`; a box that is `Send` needs `.context(\"...\")?`"
)]
pub trait Source: Into<Box<dyn StdError>> {}

#[diagnostic::do_not_recommend]
impl<E: Into<Box<dyn StdError>>> Source for E {}

impl<E: Source> From<E> for Error {
    #[track_caller]
    fn from(error: E) -> Self {
        Self(Box::new(Inner {
            origin: std::any::type_name::<E>(),
            context: Vec::new(),
            source: error.into(),
            location: Some(Location::caller()),
        }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for context in self.0.context.iter().rev() {
            write!(f, "{context}: ")?;
        }
        write!(f, "{}", self.0.source)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        for line in self.chain().lines() {
            write!(f, "\n{line}")?;
        }
        Ok(())
    }
}

/// What an [`Error`] can be made of, by whatever way: `Way` keeps the implementations apart.
///
/// A `Box<dyn Error + Send>` is not known to the compiler never to be `Into<Box<dyn Error>>`, so
/// there is no `From` for it besides the one for all others.
pub trait IntoError<Way> {
    /// The error.
    fn into_error(self) -> Error;
}

impl<E: Into<Error>> IntoError<()> for E {
    #[track_caller]
    fn into_error(self) -> Error {
        self.into()
    }
}

/// The way of a `Box<dyn Error + Send>`.
pub struct OfSend;
/// The way of a `Box<dyn Error + Send + Sync>`.
pub struct OfSendSync;

impl IntoError<OfSend> for Box<dyn StdError + Send> {
    #[track_caller]
    fn into_error(self) -> Error {
        let error: Box<dyn StdError> = self;
        error.into()
    }
}

impl IntoError<OfSendSync> for Box<dyn StdError + Send + Sync> {
    #[track_caller]
    fn into_error(self) -> Error {
        let error: Box<dyn StdError> = self;
        error.into()
    }
}

/// Adds to an error what was going on, and makes an error of a `None`.
///
/// `use anyhow::Context;` at the top of a file that uses the prelude takes the place of this one
/// there, and `?` takes in what it makes. Where both are in scope (`Context as _`, or a `use`
/// within a function), a call of `context` is ambiguous: name the one that is meant, as in
/// `wflow_sdk::Context::context(result, "reading")?`.
///
/// `Way` is for the compiler: it tells apart the errors that are taken in differently.
pub trait Context<T, Way = ()> {
    /// Puts `context` before the message of the error.
    ///
    /// # Errors
    ///
    /// The error of `self`; if `self` is `None`, the context alone.
    #[track_caller]
    fn context(self, context: impl fmt::Display) -> Result<T>;
}

impl<T, E: IntoError<Way>, Way> Context<T, Way> for std::result::Result<T, E> {
    #[track_caller]
    fn context(self, context: impl fmt::Display) -> Result<T> {
        match self {
            Ok(value) => Ok(value),
            Err(error) => Err(error.into_error().context(context)),
        }
    }
}

impl<T> Context<T> for Option<T> {
    #[track_caller]
    fn context(self, context: impl fmt::Display) -> Result<T> {
        match self {
            Some(value) => Ok(value),
            None => Err(Error::msg(context)),
        }
    }
}

/// Fails the step with a message, which is written as in `format!`.
#[macro_export]
macro_rules! bail {
    ($($message:tt)+) => {
        return ::core::result::Result::Err($crate::Error::msg(::core::format_args!($($message)+)))
    };
}

/// Fails the step, as [`bail!`](crate::bail) does, unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr $(,)?) => {
        if !$condition {
            $crate::bail!("`{}` does not hold", ::core::stringify!($condition));
        }
    };
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            $crate::bail!($($message)+);
        }
    };
}
