//! What is known of each thing, for the most recently seen things.
//!
//! A fleet has up to millions of things, so memory counts. The entries lie in one vector; their order of use is a linked list
//! of places in it, and the hash table has only places. That takes 35 bytes for each thing, with a hash table that is as
//! empty as it gets, in addition to its name and value. A map that keeps its order with pointers takes about 60.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;

use hashbrown::HashTable;

/// No place: the end of the list.
const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub struct RecentThings<T> {
    max: usize,
    entries: Vec<Entry<T>>,
    /// The place of each entry, by its name.
    places: HashTable<u32>,
    /// With a random seed, because an attacker may choose names.
    hasher: RandomState,
    oldest: u32,
    newest: u32,
}

#[derive(Debug)]
struct Entry<T> {
    name: Box<str>,
    value: T,
    /// The place of the entry that was last seen before this one.
    older: u32,
    newer: u32,
}

impl<T: Default> RecentThings<T> {
    /// Remembers at most `max` things.
    pub fn new(max: NonZeroU32) -> Self {
        Self {
            max: index(max.get()),
            entries: Vec::new(),
            places: HashTable::new(),
            hasher: RandomState::new(),
            oldest: NONE,
            newest: NONE,
        }
    }

    /// The value of a thing, which becomes the most recently seen. A new thing begins with the default. If there is no room
    /// for it, the least recently seen thing is forgotten, which is the second part of the result.
    pub fn see(&mut self, name: &str) -> (&mut T, Option<(Box<str>, T)>) {
        let hash = self.hasher.hash_one(name);
        let is_it = |&place: &u32| self.entries.get(index(place)).is_some_and(|entry| *entry.name == *name);
        let mut forgotten = None;
        let place = if let Some(&place) = self.places.find(hash, is_it) {
            self.unlink(place);
            place
        } else {
            let entry = Entry { name: name.into(), value: T::default(), older: NONE, newer: NONE };
            let place = if self.entries.len() < self.max {
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1).unwrap_or(NONE) // `max` is not above it
            } else {
                let place = self.oldest;
                forgotten = self.replace(place, entry);
                place
            };
            let hash_of =
                |&place: &u32| self.entries.get(index(place)).map_or(0, |entry| self.hasher.hash_one(&*entry.name));
            self.places.insert_unique(hash, place, hash_of);
            place
        };
        self.link_as_newest(place);
        #[expect(clippy::indexing_slicing, reason = "the place was just found or made")]
        let entry = &mut self.entries[index(place)];
        (&mut entry.value, forgotten)
    }

    /// Puts an entry in the place of another.
    fn replace(&mut self, place: u32, entry: Entry<T>) -> Option<(Box<str>, T)> {
        self.unlink(place);
        let old = std::mem::replace(self.entries.get_mut(index(place))?, entry);
        if let Ok(found) = self.places.find_entry(self.hasher.hash_one(&*old.name), |&other| other == place) {
            found.remove();
        }
        Some((old.name, old.value))
    }

    fn unlink(&mut self, place: u32) {
        let Some(&Entry { older, newer, .. }) = self.entries.get(index(place)) else { return };
        match self.entries.get_mut(index(older)) {
            Some(entry) => entry.newer = newer,
            None => self.oldest = newer,
        }
        match self.entries.get_mut(index(newer)) {
            Some(entry) => entry.older = older,
            None => self.newest = older,
        }
    }

    fn link_as_newest(&mut self, place: u32) {
        let older = std::mem::replace(&mut self.newest, place);
        match self.entries.get_mut(index(older)) {
            Some(entry) => entry.newer = place,
            None => self.oldest = place,
        }
        if let Some(entry) = self.entries.get_mut(index(place)) {
            (entry.older, entry.newer) = (older, NONE);
        }
    }

    /// Every thing, in no order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|entry| &entry.value)
    }
}

/// A place as an index. For [`NONE`], there is no entry.
fn index(place: u32) -> usize {
    usize::try_from(place).unwrap_or(usize::MAX)
}
