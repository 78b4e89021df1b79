//! The tables of real hosts, and ways to damage them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use device_defender::internals::collector::Endian;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A file of a captured tree.
#[derive(Debug, Clone)]
pub(crate) struct Captured {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it is called.
    pub(crate) name: String,
    /// The byte order of the machine that wrote it.
    pub(crate) endian: Endian,
    /// What it holds.
    pub(crate) bytes: Vec<u8>,
}

/// Every file of every captured `net` directory.
pub(crate) static FILES: LazyLock<Vec<Captured>> = LazyLock::new(|| {
    let mut files = Vec::new();
    for net in net_directories() {
        let big = net.components().any(|part| part.as_os_str() == "big-endian");
        for entry in fs::read_dir(net).unwrap() {
            let path = entry.unwrap().path();
            files.push(Captured {
                name: path.file_name().unwrap().to_str().unwrap().to_owned(),
                endian: if big { Endian::Big } else { Endian::Little },
                bytes: fs::read(&path).unwrap(),
                path,
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
});

/// The captured `net` directories.
fn net_directories() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for scene in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")).unwrap() {
        let proc = scene.unwrap().path().join("proc");
        found.extend([proc.join("net"), proc.join("1/net")].into_iter().filter(|net| net.is_dir()));
    }
    assert!(found.len() >= 7, "{found:?}");
    found.sort();
    found
}

/// The captured files of that name, at least one of them.
pub(crate) fn named(name: &str) -> Vec<&'static Captured> {
    let files: Vec<_> = FILES.iter().filter(|file| file.name == name).collect();
    assert!(!files.is_empty(), "no {name} was captured");
    files
}

/// The content of a captured file of one of these names.
pub(crate) fn content(names: &[&str]) -> impl Strategy<Value = Vec<u8>> + use<> {
    select(names.iter().flat_map(|name| named(name)).map(|file| file.bytes.clone()).collect::<Vec<_>>())
}

/// One piece of damage.
#[derive(Debug, Clone)]
enum Damage {
    /// A byte is something else.
    Set(Index, u8),
    /// A bit is flipped.
    Flip(Index, u8),
    /// The end is missing.
    Cut(Index),
    /// A part is missing.
    Remove(Index, usize),
    /// A part stands there twice.
    Repeat(Index, usize),
    /// Something foreign stands there.
    Insert(Index, Vec<u8>),
}

impl Damage {
    fn any() -> impl Strategy<Value = Self> {
        let place = || any::<Index>();
        let telling = select(b" \n\t:|\0\xff-+0AFaf*/".to_vec());
        prop_oneof![
            4 => (place(), prop_oneof![telling, any::<u8>()]).prop_map(|(place, byte)| Self::Set(place, byte)),
            2 => (place(), 0..8_u8).prop_map(|(place, bit)| Self::Flip(place, bit)),
            1 => place().prop_map(Self::Cut),
            2 => (place(), 1..200_usize).prop_map(|(place, length)| Self::Remove(place, length)),
            2 => (place(), 1..200_usize).prop_map(|(place, length)| Self::Repeat(place, length)),
            1 => (place(), vec(any::<u8>(), 1..20)).prop_map(|(place, bytes)| Self::Insert(place, bytes)),
        ]
    }

    fn apply(&self, text: &mut Vec<u8>) {
        let place = |index: &Index, text: &[u8]| index.index(text.len() + 1).min(text.len().saturating_sub(1));
        match self {
            Self::Set(at, byte) => {
                let at = place(at, text);
                text.get_mut(at).into_iter().for_each(|old| *old = *byte);
            }
            Self::Flip(at, bit) => {
                let at = place(at, text);
                text.get_mut(at).into_iter().for_each(|old| *old ^= 1 << bit);
            }
            Self::Cut(at) => text.truncate(place(at, text)),
            Self::Remove(at, length) => {
                let at = place(at, text);
                text.drain(at..text.len().min(at + length));
            }
            Self::Repeat(at, length) => {
                let at = place(at, text);
                let part = text[at..text.len().min(at + length)].to_vec();
                text.splice(at..at, part);
            }
            Self::Insert(at, bytes) => {
                let at = place(at, text);
                text.splice(at..at, bytes.iter().copied());
            }
        }
    }
}

/// The same text with up to six pieces of damage.
pub(crate) fn damaged(text: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (text, vec(Damage::any(), 1..6)).prop_map(|(mut text, damages)| {
        for damage in &damages {
            damage.apply(&mut text);
        }
        text
    })
}
