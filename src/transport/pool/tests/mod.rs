//! The books under everything that can happen to them.

mod any_order;
mod inside;
mod rules;
mod unstarted;
mod world;
