//! Giving a flow's parameters their values.

use std::io;
use std::io::Read;
use std::path::Path;

use cap_std::ambient_authority;
use wflow_model::Name;
use wflow_model::cbor;
use wflow_model::name::excerpt;
use wflow_model::name::nearest;
use wflow_model::parameter::InvalidValue;
use wflow_model::parameter::Parameter;
use wflow_model::parameter::ParameterType;
use wflow_model::parameter::ParameterValue;
use wflow_model::record::Artifacts;
use wflow_store::RunWriter;
use wflow_store::StoreError;

use crate::options::ParameterInput;
use crate::options::Source;

/// A parameter has no value, or a wrong one.
#[derive(Debug, thiserror::Error)]
pub enum ParameterError {
    /// It needs a value, and none was given.
    #[error("missing option '--{name}': give it, or set {variable}")]
    Missing {
        /// The parameter.
        name: String,
        /// The environment variable that can hold the value.
        variable: String,
    },
    /// The flow has no such parameter.
    #[error("no such parameter: --{name}{}", meant.as_ref().map(|meant| format!("; did you mean --{meant}?")).unwrap_or_default())]
    Unknown {
        /// The name that was given.
        name: String,
        /// The parameter that was probably meant.
        meant: Option<String>,
    },
    /// The value is not of the parameter's type.
    #[error("invalid value for '--{name}', {origin}: {error}")]
    Invalid {
        /// The parameter.
        name: String,
        /// Where the value comes from.
        origin: Source,
        /// What is wrong with it.
        error: InvalidValue,
    },
    /// The file cannot be read.
    #[error("invalid value for '--{name}', {origin}: cannot read the file '{path}': {error}")]
    File {
        /// The parameter.
        name: String,
        /// Where the path comes from.
        origin: Source,
        /// The path.
        path: String,
        /// Why not.
        error: std::io::Error,
    },
    /// The file is not text.
    #[error(
        "invalid value for '--{name}', {origin}: the file '{path}' is not text in UTF-8 (byte \
         {valid_up_to}); a parameter of type bytes takes any file"
    )]
    NotText {
        /// The parameter.
        name: String,
        /// Where the path comes from.
        origin: Source,
        /// The path.
        path: String,
        /// Where the first byte is that cannot be text.
        valid_up_to: usize,
    },
}

/// The most bytes of a file that a parameter takes in.
const MAX_FILE: u64 = 1 << 30;

/// The values of all parameters of a flow, files read.
#[derive(Debug, Clone)]
pub struct Arguments {
    values: Vec<(Name, &'static str, Vec<u8>)>,
}

impl Arguments {
    /// Hands the values over to the store.
    pub(crate) fn store(&self, writer: &RunWriter) -> Result<Artifacts, StoreError> {
        let put = |(name, format, bytes): &(Name, &'static str, Vec<u8>)| {
            Ok((name.clone(), writer.put(*format, bytes)?))
        };
        self.values.iter().map(put).collect()
    }
}

/// Finds the value of every parameter: as given, else from the environment, else its default.
/// Files are read here: what a run sees is a snapshot.
///
/// # Errors
///
/// The first of the parameters, in the order of their definition, that has none or a wrong one.
pub(crate) fn bind(
    parameters: &[Parameter],
    inputs: &[ParameterInput],
) -> Result<Arguments, ParameterError> {
    for input in inputs {
        if !parameters.iter().any(|parameter| parameter.name == input.name) {
            let names = parameters.iter().map(|parameter| parameter.name.as_str());
            let meant = nearest(&input.name, names).map(ToOwned::to_owned);
            return Err(ParameterError::Unknown { name: excerpt(&input.name), meant });
        }
    }
    // All values first, then the files: a typing mistake is told before anything is read.
    let values = parameters.iter().map(|parameter| value(parameter, inputs));
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let bytes = |(parameter, value): (&Parameter, Option<(ParameterValue, Source)>)| {
        let (format, bytes) = match value {
            None => (cbor::FORMAT, cbor::NULL.to_vec()),
            Some((ParameterValue::File(path), origin)) => {
                (parameter.kind.format(), read_file(parameter, &path, origin)?)
            }
            Some((value, _)) => {
                (parameter.kind.format(), value.to_cbor().unwrap_or_else(|| cbor::NULL.to_vec()))
            }
        };
        Ok((parameter.artifact.clone(), format, bytes))
    };
    let values = parameters.iter().zip(values).map(bytes).collect::<Result<_, _>>()?;
    Ok(Arguments { values })
}

/// The value of one parameter and where it comes from; none if it has none and needs none.
fn value(
    parameter: &Parameter,
    inputs: &[ParameterInput],
) -> Result<Option<(ParameterValue, Source)>, ParameterError> {
    let name = parameter.name.clone();
    let mut mine = inputs.iter().rev().filter(|input| input.name == name);
    let given = mine.clone().find(|input| input.source == Source::Given).or_else(|| mine.next());
    match (given, &parameter.default) {
        (Some(input), _) => {
            let origin = input.source.clone();
            match parameter.kind.parse(&input.text) {
                Ok(value) => Ok(Some((value, origin))),
                Err(error) => Err(ParameterError::Invalid { name, origin, error }),
            }
        }
        (None, Some(default)) => Ok(Some((default.clone(), Source::Default))),
        (None, None) if parameter.required => {
            Err(ParameterError::Missing { name, variable: parameter.variable() })
        }
        (None, None) => Ok(None),
    }
}

fn read_file(
    parameter: &Parameter,
    path: &Path,
    origin: Source,
) -> Result<Vec<u8>, ParameterError> {
    let name = parameter.name.clone();
    let shown = path.display().to_string();
    let read = || {
        let mut bytes = Vec::new();
        let file = cap_std::fs::File::open_ambient(path, ambient_authority())?;
        // One byte more than is allowed, to find out whether there are more.
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE {
            let limit = MAX_FILE >> 20;
            let why = format!("it has more than {limit} MiB; a parameter is not for large data");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        Ok(bytes)
    };
    let bytes = match read() {
        Ok(bytes) => bytes,
        Err(error) => return Err(ParameterError::File { name, origin, path: shown, error }),
    };
    match (parameter.kind, std::str::from_utf8(&bytes)) {
        (ParameterType::Text, Err(error)) => {
            let valid_up_to = error.valid_up_to();
            Err(ParameterError::NotText { name, origin, path: shown, valid_up_to })
        }
        _ => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, kind: ParameterType, required: bool) -> Parameter {
        let artifact = Name::new(name).unwrap();
        let (name, help) = (name.to_owned(), String::new());
        Parameter { name, artifact, kind, help, required, default: None }
    }

    fn input(name: &str, text: &str, source: Source) -> ParameterInput {
        ParameterInput { name: name.to_owned(), text: text.to_owned(), source }
    }

    fn environment() -> Source {
        Source::Environment("WFLOW_RUN_COUNT".to_owned())
    }

    #[test]
    fn what_is_given_wins_over_the_environment() {
        let parameters = [parameter("count", ParameterType::Int, true)];
        for inputs in [
            [input("count", "1", Source::Given), input("count", "x", environment())],
            [input("count", "x", environment()), input("count", "1", Source::Given)],
        ] {
            let bound = value(&parameters[0], &inputs).unwrap();
            assert_eq!(bound, Some((ParameterValue::Int(1), Source::Given)));
        }
    }

    #[test]
    fn errors_name_the_parameter_and_the_source() {
        let parameters = [parameter("count", ParameterType::Int, true)];
        let message = |inputs: &[ParameterInput]| match bind(&parameters, inputs) {
            Ok(_) => "bound".to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(message(&[]), "missing option '--count': give it, or set WFLOW_RUN_COUNT");
        assert_eq!(
            message(&[input("count", "ten", environment())]),
            "invalid value for '--count', from the environment variable WFLOW_RUN_COUNT: ten is \
             not a valid integer"
        );
        assert_eq!(
            message(&[input("cuont", "1", Source::Given)]),
            "no such parameter: --cuont; did you mean --count?"
        );
    }
}
