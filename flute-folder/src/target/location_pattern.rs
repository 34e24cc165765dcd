// SPDX-License-Identifier: MPL-2.0

//! What a user names as the target: a folder, and below it folders named after the session of an object.

use std::path::PathBuf;

use super::written_files::Origin;

/// What stands for something that is not known of an object.
const UNKNOWN: &str = "unknown";

/// A folder, and names of folders below it in which `%{tsi}` and `%{source}` stand for what an object has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocationPattern {
    folder: PathBuf,
    names: Vec<String>,
}

/// Why a location cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// There is no such variable.
    #[error("%{{{0}}} stands for nothing: there are %{{tsi}} and %{{source}}")]
    Unknown(String),
    /// A variable has no end.
    #[error("“{0}” has a %{{ without a closing brace")]
    Unclosed(String),
    /// A name goes up.
    #[error("“..” must not follow %{{tsi}} or %{{source}}")]
    Parent,
}

impl LocationPattern {
    /// The folders up to the first name with a variable in it are one folder.
    pub fn new(location: &str) -> Result<Self, PatternError> {
        let Some(variable) = location.find("%{") else {
            return Ok(Self { folder: location.into(), names: Vec::new() });
        };
        let split = location[..variable].rfind('/').map_or(0, |slash| slash + 1);
        let (folder, rest) = location.split_at(split);
        let names: Vec<String> = rest.split('/').filter(|name| !matches!(*name, "" | ".")).map(str::to_owned).collect();
        for name in &names {
            if name == ".." {
                return Err(PatternError::Parent);
            }
            replaced(name, |variable| matches!(variable, "tsi" | "source").then(String::new))?;
        }
        let folder = if folder.is_empty() { "." } else { folder };
        Ok(Self { folder: folder.into(), names })
    }

    /// The folder that is the same for all objects.
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// The names of the folders below it, for the session of an object.
    pub fn names_for(&self, origin: &Origin) -> Vec<String> {
        let tsi = || origin.tsi.map_or(UNKNOWN.to_owned(), |tsi| tsi.to_string());
        let source = || origin.source.map_or(UNKNOWN.to_owned(), |source| source.to_string());
        let value = |variable: &str| Some(if variable == "tsi" { tsi() } else { source() });
        self.names.iter().filter_map(|name| replaced(name, value).ok()).collect()
    }
}

/// A name with values in place of its variables.
fn replaced(name: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, PatternError> {
    let mut text = String::new();
    let mut rest = name;
    while let Some((before, after)) = rest.split_once("%{") {
        let (variable, after) = after.split_once('}').ok_or_else(|| PatternError::Unclosed(name.to_owned()))?;
        text.push_str(before);
        text.push_str(&value(variable).ok_or_else(|| PatternError::Unknown(variable.to_owned()))?);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(location: &str, origin: &Origin) -> (String, String) {
        let pattern = LocationPattern::new(location).unwrap();
        (pattern.folder().to_str().unwrap().to_owned(), pattern.names_for(origin).join("|"))
    }

    #[test]
    fn variables_become_folders() {
        let origin = Origin { tsi: Some(7), source: "fe80::1".parse().ok() };
        let of = |folder: &str, names: &str| (folder.to_owned(), names.to_owned());
        assert_eq!(expanded("/srv/100%/x", &origin), of("/srv/100%/x", ""));
        assert_eq!(expanded("/srv/%{source}/./tsi-%{tsi}.d//x", &origin), of("/srv/", "fe80::1|tsi-7.d|x"));
        assert_eq!(expanded("%{tsi}%{tsi}", &origin), of(".", "77"));
        assert_eq!(expanded("/a/%{tsi}", &Origin::default()), of("/a/", "unknown"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |location: &str| LocationPattern::new(location).unwrap_err().to_string();
        assert_eq!(error("a/%{toi}"), "%{toi} stands for nothing: there are %{tsi} and %{source}");
        assert_eq!(error("a/%{tsi"), "“%{tsi” has a %{ without a closing brace");
        assert_eq!(error("%{tsi}/../x"), "“..” must not follow %{tsi} or %{source}");
    }
}
