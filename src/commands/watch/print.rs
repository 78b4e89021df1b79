//! `--print`: the reports as lines of JSON, with what one needs to know of the last one in memory.

use std::io::Write;

use super::{Cycle, News};
use crate::cli::ReportArgs;
use crate::collector::counters::Interfaces;
use crate::collector::proc_root::Identity;
use crate::commands::{gather, since};
use crate::exit::{Exit, Failure};
use crate::report::json::{self, Layout};
use crate::report::{Encoding, Report};
use crate::state;
use crate::terminal::{Reader, Terminal};
use crate::time;

/// Prints a report in each cycle.
pub(super) struct Printer<'a> {
    report: &'a ReportArgs,
    terminal: &'a Terminal,
    last_report_id: u64,
    /// The counters at the last report, and those of what.
    before: Option<(Identity, Interfaces)>,
    /// Whether a line may have been broken off.
    is_cut_off: bool,
}

impl<'a> Printer<'a> {
    pub(super) fn new(report: &'a ReportArgs, terminal: &'a Terminal) -> Self {
        Self { report, terminal, last_report_id: 0, before: None, is_cut_off: false }
    }

    /// Prints a report.
    pub(super) fn cycle(&mut self) -> Cycle {
        let printed = self.print();
        let published = Some(time::since_boot());
        let warnings = self.terminal.held();
        match printed {
            Ok((Reader::Gone, _)) => Cycle::ReaderGone,
            Ok((Reader::There, exit)) => {
                Cycle::Over { published, exit, news: News::printed(self.last_report_id, warnings) }
            }
            Err(failure) => Cycle::Over { published, exit: failure.exit, news: News::failed(failure, warnings) },
        }
    }

    fn print(&mut self) -> Result<(Reader, Exit), Failure> {
        let (args, terminal) = (self.report, self.terminal);
        let collector = gather::open_collector(&args.source, terminal)?;
        let custom = gather::custom_metrics_of_file(&args.source)?;
        let sample = collector.sample();
        gather::tell(&sample, &collector, terminal)?;
        let identity = collector.root.identity();
        let before = match &self.before {
            Some((of, _)) if *of != identity => {
                terminal.warning("no network_stats: the last report was of another machine, boot or network namespace");
                None
            }
            before => before.as_ref(),
        };
        let now = sample.all_counters();
        if sample.missed_interfaces > 0 {
            terminal.warning("no network_stats: not all interfaces are known");
        }
        let before = before.map(|(_, before)| before);
        let network_stats = since::network_stats(before, now, &args.source.exclude_interface);
        let report_id = state::next_report_id(self.last_report_id, gather::unix_time());
        let mut report = Report::build(&sample, gather::style(args), report_id, network_stats, custom);
        let names = gather::names(args);
        if let Some(max) = args.max_bytes {
            gather::fit(&mut report, Encoding::Json, args, (max, 1), terminal)?;
        }
        let was_cut_off = std::mem::replace(&mut self.is_cut_off, true);
        let reader = terminal.event(|out| {
            if was_cut_off {
                out.write_all(b"\n")?;
            }
            json::write(&report, names, Layout::Line, &mut *out)?;
            out.write_all(b"\n")
        })?;
        self.is_cut_off = false;
        self.last_report_id = report_id;
        if let Some(now) = now {
            self.before = Some((identity, now.clone()));
        }
        Ok((reader, gather::exit_of(&sample, args.source.strict)))
    }
}
