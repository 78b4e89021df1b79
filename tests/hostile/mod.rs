//! `collect` over trees that nobody should have: cut off, binary, endless, unreadable, lying. It ends at once, with the
//! exit code that is promised, says what is wrong and where, shows what it could read, and hands nothing to a terminal
//! that could drive it.

mod counters;
mod names;
mod roots;
mod rows;
mod tables;
mod tree;
