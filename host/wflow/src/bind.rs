//! Giving a flow's parameters their values.

use std::path::Path;

use cap_std::ambient_authority;
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
    /// The store cannot take the value.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A parameter with its value, and where that comes from.
pub(crate) struct Bound<'a> {
    parameter: &'a Parameter,
    value: Option<(ParameterValue, Source)>,
}

/// Finds the value of every parameter: as given, else from the environment, else its default.
///
/// # Errors
///
/// The first of the parameters, in the order of their definition, that has none or a wrong one.
pub(crate) fn bind<'a>(
    parameters: &'a [Parameter],
    inputs: &[ParameterInput],
) -> Result<Vec<Bound<'a>>, ParameterError> {
    for input in inputs {
        if !parameters.iter().any(|parameter| parameter.name == input.name) {
            let names = parameters.iter().map(|parameter| parameter.name.as_str());
            let meant = nearest(&input.name, names).map(ToOwned::to_owned);
            return Err(ParameterError::Unknown { name: excerpt(&input.name), meant });
        }
    }
    parameters.iter().map(|parameter| bind_one(parameter, inputs)).collect()
}

fn bind_one<'a>(
    parameter: &'a Parameter,
    inputs: &[ParameterInput],
) -> Result<Bound<'a>, ParameterError> {
    let name = parameter.name.clone();
    let mut mine = inputs.iter().rev().filter(|input| input.name == name);
    let given = mine.clone().find(|input| input.source == Source::Given).or_else(|| mine.next());
    let value = match (given, &parameter.default) {
        (Some(input), _) => {
            let origin = input.source.clone();
            match parameter.kind.parse(&input.text) {
                Ok(value) => Some((value, origin)),
                Err(error) => return Err(ParameterError::Invalid { name, origin, error }),
            }
        }
        (None, Some(default)) => Some((default.clone(), Source::Default)),
        (None, None) if parameter.required => {
            return Err(ParameterError::Missing { name, variable: parameter.variable() });
        }
        (None, None) => None,
    };
    Ok(Bound { parameter, value })
}

/// Checks that the files can be opened.
pub(crate) fn check_files(bound: &[Bound<'_>]) -> Result<(), ParameterError> {
    for Bound { parameter, value } in bound {
        if let Some((ParameterValue::File(path), origin)) = value {
            open_file(path).map_err(|error| ParameterError::File {
                name: parameter.name.clone(),
                origin: origin.clone(),
                path: path.display().to_string(),
                error,
            })?;
        }
    }
    Ok(())
}

fn open_file(path: &Path) -> std::io::Result<cap_std::fs::File> {
    let file = cap_std::fs::File::open_ambient(path, ambient_authority())?;
    if file.metadata()?.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    Ok(file)
}

/// The values as artifacts. Files are read here: what the run sees is a snapshot.
pub(crate) fn store(bound: &[Bound<'_>], writer: &RunWriter) -> Result<Artifacts, ParameterError> {
    let mut artifacts = Artifacts::new();
    for Bound { parameter, value } in bound {
        let (format, bytes) = match value {
            None => (cbor::FORMAT, cbor::NULL.to_vec()),
            Some((ParameterValue::File(path), origin)) => {
                (parameter.kind.format(), read_file(parameter, path, origin)?)
            }
            Some((value, _)) => {
                (parameter.kind.format(), value.to_cbor().unwrap_or_else(|| cbor::NULL.to_vec()))
            }
        };
        artifacts.insert(parameter.artifact.clone(), writer.put(format, &bytes)?);
    }
    Ok(artifacts)
}

fn read_file(
    parameter: &Parameter,
    path: &Path,
    origin: &Source,
) -> Result<Vec<u8>, ParameterError> {
    let (name, origin) = (parameter.name.clone(), origin.clone());
    let shown = path.display().to_string();
    let read = || {
        let mut bytes = Vec::new();
        let mut file = open_file(path)?;
        std::io::Read::read_to_end(&mut file, &mut bytes)?;
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
    use wflow_model::Name;

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
            let bound = bind(&parameters, &inputs).unwrap();
            assert_eq!(bound[0].value, Some((ParameterValue::Int(1), Source::Given)));
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
