//! `--print`: the reports as lines of JSON, with what the next one needs to know in memory.

use std::io::Write;

use super::cycle::{Cycle, Done};
use crate::cli::SourceArgs;
use crate::collector::counters::Interfaces;
use crate::collector::proc::root::HostId;
use crate::commands::steps::Steps;
use crate::commands::{baseline, pipeline};
use crate::config;
use crate::error::Error;
use crate::report::Options;
use crate::report::encode::Encoding;
use crate::terminal::{Stdout, Terminal};
use crate::warning::Warnings;

pub(super) struct Printer<'a> {
    source: &'a SourceArgs,
    options: &'a Options,
    terminal: &'a Terminal,
    steps: &'a Steps,
    last_report_id: u64,
    /// The counters at the last report, and of which host and namespace they are.
    before: Option<(HostId, Interfaces)>,
    /// Whether the last line may be incomplete.
    is_cut_off: bool,
}

impl<'a> Printer<'a> {
    pub(super) fn new(source: &'a SourceArgs, options: &'a Options, terminal: &'a Terminal, steps: &'a Steps) -> Self {
        Self { source, options, terminal, steps, last_report_id: 0, before: None, is_cut_off: false }
    }

    /// Prints a report; `None` when nobody reads standard output any more.
    pub(super) fn cycle(&mut self, warnings: &mut Warnings) -> Result<Option<Cycle>, Error> {
        let printed = self.print(warnings);
        self.steps.pause();
        let published = Some(baseline::since_boot()?);
        let (exit, outcome) = match printed {
            Ok(Stdout::Closed) => return Ok(None),
            Ok(Stdout::Open) => (warnings.exit(self.source.strict), Ok((Done::Printed, self.last_report_id))),
            Err(error) => (error.exit(), Err(error)),
        };
        Ok(Some(Cycle { published, exit, outcome }))
    }

    fn print(&mut self, warnings: &mut Warnings) -> Result<Stdout, Error> {
        self.steps.start();
        self.steps.begin("reading the custom metrics");
        let custom = pipeline::custom_metrics_without_waiting(self.source)?;
        self.steps.begin(format!("reading {}", config::path(&self.source.proc).display()));
        let collector = pipeline::open(self.source, self.terminal, warnings)?;
        let sample = pipeline::sample_of_host(&collector, self.terminal, warnings)?;
        let host_id = collector.root.host_id();
        let before = self.before.as_ref().filter(|(of, _)| *of == host_id).map(|(_, counters)| counters);
        if self.before.is_some() && before.is_none() {
            warnings.no_traffic("the last report was of another machine, boot or network namespace");
        }
        let mut report = pipeline::build(&sample, before, self.last_report_id, custom, self.options, warnings);
        if let Some(max) = self.options.max_bytes {
            pipeline::fit(&mut report, Encoding::Json, self.options, (max, 1), warnings)?;
        }
        self.steps.pause(); // the reader may take its time
        let was_cut_off = std::mem::replace(&mut self.is_cut_off, true);
        let stdout = self.terminal.write(|out| {
            if was_cut_off {
                out.write_all(b"\n")?;
            }
            Encoding::Json.write(&report, self.options.names, &mut *out)?;
            out.write_all(b"\n")
        })?;
        self.is_cut_off = false;
        self.last_report_id = report.report_id;
        if let Some(now) = &sample.counters {
            self.before = Some((host_id, now.clone()));
        }
        Ok(stdout)
    }
}
