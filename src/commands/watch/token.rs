//! When to leave because the nucleus no longer accepts this component's token. A nucleus that restarted never accepts it
//! again; only a new process gets a new one.

use std::time::Duration;

/// How long the token must have been refused: nucleus lite also refuses it while its 50 places are taken.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long a process runs at least, because nucleus lite gives up a component that ends more than three times in an hour.
const SHORTEST_RUN: Duration = Duration::from_secs(20 * 60);

/// Times are since boot.
pub(super) struct TokenWatch {
    started: Duration,
    refused_since: Option<Duration>,
}

impl TokenWatch {
    pub(super) fn new(started: Duration) -> Self {
        Self { started, refused_since: None }
    }

    /// Notes how a cycle ended at `now`, and returns whether to leave.
    pub(super) fn cycle(&mut self, is_refused: bool, now: Duration) -> bool {
        self.refused_since = is_refused.then(|| self.refused_since.unwrap_or(now));
        let longer = |since: Duration, limit| now.saturating_sub(since) >= limit;
        self.refused_since.is_some_and(|since| longer(since, PATIENCE)) && longer(self.started, SHORTEST_RUN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_leaves_when_its_token_was_refused_for_long_and_it_ran_for_long() {
        let at = Duration::from_secs;
        let mut token = TokenWatch::new(at(100));
        assert!(!token.cycle(true, at(110)));
        assert!(!token.cycle(true, at(1299)), "19 min 59 s after the start");
        assert!(token.cycle(true, at(1300)));
        assert!(!token.cycle(false, at(1400)));
        assert!(!token.cycle(true, at(9000)), "refused for the first time");
        assert!(!token.cycle(true, at(9119)));
        assert!(token.cycle(true, at(9120)));
    }
}
