//! Stands in for `greengrass` in a build without that feature. Its types have no values, so the compiler leaves out whatever
//! handles one.

use super::transport::Loaded;

pub(super) fn load(settings: &settings::Settings) -> Loaded {
    match *settings {}
}

pub(crate) mod settings {
    #[derive(Debug)]
    pub(crate) enum Settings {}

    impl Settings {
        pub(crate) fn destination(&self) -> String {
            match *self {}
        }
    }
}

pub(crate) mod cause {
    use crate::delivery::error::Kind;

    pub(crate) const LITE_MAX_BYTES: usize = usize::MAX;

    #[derive(Debug)]
    pub(crate) enum Cause {}

    impl Cause {
        pub(crate) fn is_too_large(&self) -> bool {
            match *self {}
        }

        pub(crate) fn is_token_refused(&self) -> bool {
            match *self {}
        }

        pub(crate) fn describe(&self) -> (Kind, String, String) {
            match *self {}
        }

        pub(crate) fn detail(&self) -> String {
            match *self {}
        }
    }
}
