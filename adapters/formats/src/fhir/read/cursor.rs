//! A cursor over the tree that keeps account of what was read, so that whatever was not is told as unread.
//!
//! A leaf counts as read when its value was handed out. Account is kept by the address of the node (the
//! tree stays where it is while it is read); pointers are spelt out once, at the end, in one walk over the
//! resources that took part. Nothing here knows what an element means.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ptr;

use rustc_hash::{FxHashMap, FxHashSet};
use takmil_domain::date::Date;
use takmil_domain::message::Attachment;
use takmil_domain::money::Currency;
use takmil_domain::problem::{Problem, ProblemCode};

use super::library::{Library, Resource};
use crate::Context;
use crate::fhir::tree::{Node, Place};

/// How many places of one message are told as unread, before whole resources are told instead: enough for
/// any real sender, and no message grows far beyond its source by them.
const MAX_UNREAD: usize = 2_000;

/// How many bytes are read over again for one body, because its messages share a patient, an insurer, a
/// medication. What is read again is told again in each message, so this bounds how much larger than the
/// body its messages may be. Bundles of real senders stay under a tenth of it.
const MAX_READ_AGAIN: usize = 256 * 1024 * 1024;

/// What the messages of one body have read of its resources.
#[derive(Default)]
pub(super) struct Shared {
    opened: RefCell<FxHashSet<usize>>,
    again: Cell<usize>,
}

impl Shared {
    /// Notes that the resource is read; whether that may still be.
    fn allows(&self, resource: &Resource, index: usize) -> bool {
        if self.opened.borrow_mut().insert(index) {
            return true;
        }
        self.allows_again(resource.node)
    }

    fn allows_again(&self, node: &Node<'_>) -> bool {
        let again = self.again.get().saturating_add(size(node));
        self.again.set(again);
        again <= MAX_READ_AGAIN
    }
}

/// What became of a node.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// Read.
    Read,
    /// Read with all that is below it.
    Whole,
    /// Read, but not as exactly as it was sent: told as unread all the same.
    Inexact,
}

/// What the reading of one message shares.
pub(super) struct Reader<'a> {
    /// Every resource of the body.
    pub(super) library: &'a Library<'a>,
    /// What the body does not say.
    pub(super) context: &'a Context,
    /// The day by which the currency's smallest unit is found.
    pub(super) day: Cell<Date>,
    /// The currency of the message, once an amount was met or a currency announced.
    pub(super) currency: Cell<Option<Currency>>,
    /// Whether an amount was read.
    pub(super) has_money: Cell<bool>,
    /// How many digits after the point a currency had on a day, as it was last asked.
    exponent: Cell<Option<(Currency, Date, u32)>>,
    /// Documents met on the way.
    pub(super) attachments: RefCell<Vec<Attachment>>,
    marks: RefCell<FxHashMap<usize, Mark>>,
    used: RefCell<BTreeSet<usize>>,
    faults: RefCell<Vec<(ProblemCode, usize, String)>>,
    origins: RefCell<Vec<(String, usize)>>,
    shared: &'a Shared,
}

/// What the account of a message comes to.
pub(super) struct Account {
    /// Pointers to what was not read.
    pub(super) unread: Vec<String>,
    /// Canonical pointer and source pointer.
    pub(super) origins: Vec<(String, String)>,
    /// What was found wrong on the way.
    pub(super) problems: Vec<Problem>,
}

/// A node, the resource it stands in, and the account it is read on.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    /// The node.
    pub(super) node: &'a Node<'a>,
    /// The account.
    pub(super) reader: &'a Reader<'a>,
    home: usize,
}

fn address(node: &Node<'_>) -> usize {
    ptr::from_ref(node).addr()
}

/// How many bytes a tree takes, about.
fn size(node: &Node<'_>) -> usize {
    const OF_A_NODE: usize = 64;
    let below: usize = match node {
        Node::Object(members) => members.iter().map(|(_, inner)| size(inner)).sum(),
        Node::Array(items) => items.iter().map(size).sum(),
        Node::String(text) | Node::Number(text) => text.len(),
        _ => 0,
    };
    below.saturating_add(OF_A_NODE)
}

impl<'a> Reader<'a> {
    /// An empty account of one of the messages that have `shared` in common.
    pub(super) fn new(library: &'a Library<'a>, context: &'a Context, shared: &'a Shared) -> Self {
        Reader {
            library,
            context,
            day: Cell::new(context.today),
            currency: Cell::new(None),
            has_money: Cell::new(false),
            exponent: Cell::new(None),
            attachments: RefCell::default(),
            marks: RefCell::default(),
            used: RefCell::default(),
            faults: RefCell::default(),
            origins: RefCell::default(),
            shared,
        }
    }

    /// How many digits after the point `currency` had on the message's day.
    pub(super) fn exponent(&self, currency: Currency) -> u32 {
        let day = self.day.get();
        let known = self.exponent.get();
        let known = known.filter(|(of, on, _)| (*of, *on) == (currency, day));
        let (_, _, digits) = known.unwrap_or_else(|| (currency, day, currency.exponent(day)));
        self.exponent.set(Some((currency, day, digits)));
        digits
    }

    /// A cursor at the resource of that index, which from now on is part of the message.
    pub(super) fn open(&'a self, index: usize) -> Option<Cursor<'a>> {
        let resource = self.library.resources.get(index)?;
        self.used.borrow_mut().insert(resource.owner);
        self.look(index)
    }

    /// A cursor at a resource that does not become part of the message by being looked at.
    pub(super) fn look(&'a self, index: usize) -> Option<Cursor<'a>> {
        let resource = self.library.resources.get(index)?;
        let cursor = Cursor {
            node: resource.node,
            reader: self,
            home: index,
        };
        if !self.shared.allows(resource, index) {
            let detail = "the messages of the body share more than the hub reads over again";
            cursor.fault(ProblemCode::TooLarge, detail);
            return None;
        }
        Some(cursor)
    }

    /// The resources that took part, those without a holder.
    pub(super) fn used(&self) -> BTreeSet<usize> {
        self.used.borrow().clone()
    }

    /// Closes the account: one walk over the resources that took part.
    pub(super) fn close(&self) -> Account {
        let marks = self.marks.borrow();
        let faults = self.faults.take();
        let origins = self.origins.take();
        let mut wanted: FxHashMap<usize, Option<String>> = FxHashMap::default();
        wanted.extend(faults.iter().map(|(_, place, _)| (*place, None)));
        wanted.extend(origins.iter().map(|(_, place)| (*place, None)));
        let mut walk = Walk {
            marks: &marks,
            wanted: &mut wanted,
            unread: Vec::new(),
            resource: "",
        };
        for index in self.used.borrow().iter() {
            if let Some(Resource { node, pointer, .. }) = self.library.resources.get(*index) {
                walk.resource(node, pointer);
            }
        }
        let unread = walk.unread;
        let pointer = |place: &usize| wanted.get(place).cloned().flatten();
        Account {
            unread,
            origins: origins
                .into_iter()
                .filter_map(|(canonical, place)| Some((canonical, pointer(&place)?)))
                .collect(),
            problems: faults
                .into_iter()
                .map(|(code, place, detail)| {
                    Problem::new(code, pointer(&place).unwrap_or_default(), detail)
                })
                .collect(),
        }
    }
}

/// The walk that closes an account.
struct Walk<'w> {
    marks: &'w FxHashMap<usize, Mark>,
    wanted: &'w mut FxHashMap<usize, Option<String>>,
    unread: Vec<String>,
    /// The pointer to the resource that is walked.
    resource: &'w str,
}

impl<'w> Walk<'w> {
    fn resource(&mut self, node: &Node<'_>, pointer: &'w str) {
        let before = self.unread.len();
        self.resource = pointer;
        let is_unread = self.visit(node, &Place::ROOT, false);
        if self.unread.len() > before.saturating_add(MAX_UNREAD) {
            self.unread.truncate(before);
        } else if !is_unread {
            return;
        }
        self.unread.push(pointer.to_owned());
    }

    /// Whether nothing of `node` was read; if only some of it was not, that is put on the list.
    fn visit(&mut self, node: &Node<'_>, place: &Place<'_>, known: bool) -> bool {
        let address = address(node);
        if let Some(slot) = self.wanted.get_mut(&address) {
            *slot = Some(place.pointer_below(self.resource));
        }
        let mark = self.marks.get(&address);
        let known = known || mark == Some(&Mark::Whole);
        match node {
            Node::Null => return false,
            Node::Object(_) | Node::Array(_) => {}
            _ => return !known && mark != Some(&Mark::Read),
        }
        let is_resource = node.resource_type().is_some();
        let is_framed = |key: &str| is_frame(key, is_resource);
        for (key, inner) in node.members().iter().filter(|(key, _)| is_framed(key)) {
            // Something may be wrong in it all the same.
            self.visit(inner, &place.key(key), true);
        }
        let members = node.members().iter();
        let members = members.filter(|(key, _)| !is_framed(key));
        let members = members.map(|(key, inner)| (place.key(key), inner));
        let items = node.items().iter().enumerate();
        let items = items.map(|(index, inner)| (place.index(index), inner));
        let mut unread = Vec::new();
        let mut any_read = mark.is_some();
        for (at, inner) in members.chain(items) {
            if self.visit(inner, &at, known) {
                unread.push(at);
            } else {
                any_read = true;
            }
        }
        if any_read {
            let pointers = unread.iter().take(MAX_UNREAD.saturating_add(1));
            let pointers = pointers.map(|at| at.pointer_below(self.resource));
            self.unread.extend(pointers);
            return false;
        }
        !unread.is_empty()
    }
}

/// Members that are the frame of a resource or element: understood wherever they stand.
fn is_frame(key: &str, is_resource: bool) -> bool {
    key == "id" || is_resource && matches!(key, "resourceType" | "meta" | "text")
}

impl<'a> Cursor<'a> {
    /// The member of that name.
    pub(super) fn get(self, key: &str) -> Option<Cursor<'a>> {
        let node = self.node.get(key).filter(|node| **node != Node::Null)?;
        Some(self.to(node))
    }

    /// The items of the member of that name; a single value counts as a list of one.
    pub(super) fn items(self, key: &str) -> impl Iterator<Item = Cursor<'a>> {
        let list = self.node.get(key).map_or(&[][..], |node| match node {
            Node::Array(items) => items,
            single => std::slice::from_ref(single),
        });
        list.iter()
            .filter(|node| **node != Node::Null)
            .map(move |node| self.to(node))
    }

    /// The member whose name is `stem` and the name of its type: `("Date", …)` for `servicedDate`.
    pub(super) fn choice(self, stem: &str) -> Option<(&'a str, Cursor<'a>)> {
        self.node.members().iter().find_map(|(key, node)| {
            let kind = key.strip_prefix(stem)?;
            let named = kind.starts_with(|first: char| first.is_ascii_uppercase());
            named.then(|| (kind, self.to(node)))
        })
    }

    /// The text of the member of that name.
    pub(super) fn text(self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// The digits of the member of that name.
    pub(super) fn number(self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_number()
    }

    /// The whole number of the member of that name.
    pub(super) fn count(self, key: &str) -> Option<u32> {
        self.get(key)?.as_count()
    }

    /// The truth value of the member of that name.
    pub(super) fn flag(self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// The text that stands here.
    pub(super) fn as_str(self) -> Option<&'a str> {
        self.handed(self.node.as_str())
    }

    /// The digits that stand here.
    pub(super) fn as_number(self) -> Option<&'a str> {
        self.handed(self.node.as_number())
    }

    /// The whole number that stands here.
    pub(super) fn as_count(self) -> Option<u32> {
        self.handed(self.node.as_number()?.parse().ok())
    }

    /// The truth value that stands here.
    pub(super) fn as_bool(self) -> Option<bool> {
        self.handed(self.node.as_bool())
    }

    /// The extension whose URL is `url`, or ends with it after a slash.
    pub(super) fn extension(self, url: &str) -> Option<Cursor<'a>> {
        self.extensions(url).next()
    }

    /// All extensions of that URL.
    pub(super) fn extensions(self, url: &str) -> impl Iterator<Item = Cursor<'a>> {
        self.named("extension", url)
    }

    /// All modifier extensions of that URL.
    pub(super) fn modifiers(self, url: &str) -> impl Iterator<Item = Cursor<'a>> {
        self.named("modifierExtension", url)
    }

    fn named(self, list: &str, url: &str) -> impl Iterator<Item = Cursor<'a>> {
        self.items(list).filter(move |extension| {
            let full = extension.node.text("url").unwrap_or_default();
            full.strip_suffix(url)
                .is_some_and(|front| front.is_empty() || front.ends_with('/'))
        })
    }

    /// The value of this extension, whose URL counts as read with it.
    pub(super) fn value(self) -> Option<Cursor<'a>> {
        let (_, value) = self.choice("value")?;
        self.text("url");
        Some(value)
    }

    /// Whether what stands here may be told once more, in another part of the message.
    pub(super) fn may_be_told_again(self) -> bool {
        let may = self.reader.shared.allows_again(self.node);
        if !may {
            let detail = "the parts of the message share more than the hub tells over again";
            self.fault(ProblemCode::TooLarge, detail);
        }
        may
    }

    /// Counts this node and all below it as understood.
    pub(super) fn understood(self) {
        self.mark(Mark::Whole);
    }

    /// Counts this leaf as read, but keeps it on the list of what is only in the original as it was sent.
    pub(super) fn inexact(self) {
        self.mark(Mark::Inexact);
    }

    /// Whether nothing at or below this node was read.
    pub(super) fn is_untouched(self) -> bool {
        let marks = self.reader.marks.borrow();
        fn untouched(node: &Node<'_>, marks: &FxHashMap<usize, Mark>) -> bool {
            !marks.contains_key(&address(node))
                && match node {
                    Node::Object(members) => members.iter().all(|(_, node)| untouched(node, marks)),
                    Node::Array(items) => items.iter().all(|node| untouched(node, marks)),
                    _ => true,
                }
        }
        untouched(self.node, &marks)
    }

    /// Whether this node was read, or understood as a whole.
    pub(super) fn is_marked(self) -> bool {
        self.reader.marks.borrow().contains_key(&address(self.node))
    }

    /// Something is wrong here.
    pub(super) fn fault(self, code: ProblemCode, detail: impl Into<String>) {
        let mut faults = self.reader.faults.borrow_mut();
        if faults.len() < crate::MAX_PROBLEMS {
            faults.push((code, address(self.node), detail.into()));
        }
    }

    /// `canonical`, a pointer into the message, was read from here.
    pub(super) fn origin(self, canonical: impl Into<String>) {
        let mut origins = self.reader.origins.borrow_mut();
        origins.push((canonical.into(), address(self.node)));
    }

    /// The index of the resource that the reference leads to: literally, else by its business identifier
    /// where the resource is one of `kinds`.
    pub(super) fn target(self, kinds: &[&str]) -> Option<usize> {
        let library = self.reader.library;
        let literal = self.node.text("reference");
        literal
            .and_then(|reference| library.find(self.home, reference))
            .or_else(|| {
                let identifier = self.node.get("identifier")?;
                let (system, value) = (identifier.text("system")?, identifier.text("value")?);
                library.identified(self.home, system, value, kinds)
            })
    }

    /// Whether the resource is contained in another, so that its `id` means nothing outside of that.
    pub(super) fn is_contained(self) -> bool {
        let home = self.reader.library.resources.get(self.home);
        home.is_some_and(|home| home.owner != self.home)
    }

    /// The type of the resource that this cursor stands at.
    pub(super) fn kind(self) -> &'a str {
        self.node.resource_type().unwrap_or_default()
    }

    /// A cursor at another node of the same resource.
    pub(super) fn to(self, node: &'a Node<'a>) -> Cursor<'a> {
        Cursor { node, ..self }
    }

    /// Counts this leaf as read, if its value was one that could be handed out.
    fn handed<T>(self, value: Option<T>) -> Option<T> {
        if value.is_some() {
            self.mark(Mark::Read);
        }
        value
    }

    fn mark(self, mark: Mark) {
        let mut marks = self.reader.marks.borrow_mut();
        let slot = marks.entry(address(self.node)).or_insert(mark);
        // What was once told as inexact stays so.
        if *slot == Mark::Read {
            *slot = mark;
        }
    }
}
