//! The settings of what is read and of how it is reported.

use super::{SettingError, checked};
use crate::cli::{ReportArgs, SourceArgs};

/// Adds what is wrong with the settings of what is read to `errors`.
pub(crate) fn check_source(args: &SourceArgs, errors: &mut Vec<SettingError>) {
    checked("source", args.source.clone(), errors);
    checked("netns", args.netns.clone(), errors);
    for pattern in &args.exclude_interface {
        checked("exclude interface", pattern.clone(), errors);
    }
}

/// Adds what is wrong with the settings of a report to `errors`.
pub(crate) fn check_report(args: &ReportArgs, errors: &mut Vec<SettingError>) {
    check_source(&args.source, errors);
    checked("names", args.names.clone(), errors);
    args.max_bytes.clone().map(|given| checked("max bytes", given, errors));
    args.compat.clone().map(|given| checked("compat", given, errors));
}
