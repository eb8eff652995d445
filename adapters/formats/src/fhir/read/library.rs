//! Every resource of a body, and the ways by which references lead to them: fragment, full URL, relative
//! `Type/id`, `urn:uuid:` and business identifier. It reads no content.

use std::cell::OnceCell;
use std::collections::HashMap;

use crate::fhir::tree::Node;

/// All resources of one body.
pub(super) struct Library<'a> {
    /// Resources in the order in which they stand, contained ones after their holder.
    pub(super) resources: Vec<Resource<'a>>,
    /// Bundles, Parameters, and the bare body; outer before inner.
    pub(super) containers: Vec<Container<'a>>,
    contained: HashMap<(usize, &'a str), usize>,
}

/// One resource.
pub(super) struct Resource<'a> {
    /// Its tree.
    pub(super) node: &'a Node<'a>,
    /// Its type; empty where it names none.
    pub(super) kind: &'a str,
    /// The pointer to it.
    pub(super) pointer: String,
    /// The resource in whose `contained` it stands, else itself.
    pub(super) owner: usize,
    /// The container it stands in.
    pub(super) container: usize,
}

/// What holds resources.
pub(super) struct Container<'a> {
    /// Its tree; for the bare body the resource itself.
    pub(super) node: &'a Node<'a>,
    /// What it is.
    pub(super) form: Form<'a>,
    /// The resources directly in it, with the pointer of the entry that holds each.
    pub(super) entries: Vec<(usize, String)>,
    /// The header of a message or the composition of a document, where it holds one.
    pub(super) frame: Option<usize>,
    /// Places directly in it that hold no resource.
    pub(super) loose: Vec<String>,
    outer: Option<usize>,
    names: HashMap<String, usize>,
    identifiers: OnceCell<HashMap<String, Vec<usize>>>,
}

/// The form of a container.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form<'a> {
    /// The body is one resource.
    Bare,
    /// A Bundle of that type.
    Bundle(&'a str),
    /// A Parameters resource.
    Parameters,
}

impl<'a> Library<'a> {
    /// Lists what `body` holds.
    pub(super) fn of(body: &'a Node<'a>) -> Self {
        let mut library = Library {
            resources: Vec::new(),
            containers: Vec::new(),
            contained: HashMap::new(),
        };
        if matches!(body.resource_type(), Some("Bundle" | "Parameters")) {
            library.open(body, String::new(), None);
        } else {
            let bare = library.container(body, Form::Bare, None);
            library.add(body, String::new(), String::new(), None, bare);
        }
        library
    }

    /// The resource that `reference`, written in the resource `home`, leads to.
    pub(super) fn find(&self, home: usize, reference: &str) -> Option<usize> {
        let from = self.resources.get(home)?;
        if let Some(id) = reference.strip_prefix('#') {
            return if id.is_empty() {
                Some(from.owner)
            } else {
                self.contained.get(&(from.owner, id)).copied()
            };
        }
        let versionless = reference.split("/_history/").next().unwrap_or(reference);
        self.scopes(from.container)
            .find_map(|scope| scope.names.get(versionless).copied())
    }

    /// The resource of one of `kinds` that has the business identifier.
    pub(super) fn identified(
        &self,
        home: usize,
        system: &str,
        value: &str,
        kinds: &[&str],
    ) -> Option<usize> {
        let from = self.resources.get(home)?;
        let wanted = |index: &usize| {
            let found = self.resources.get(*index);
            found.is_some_and(|found| kinds.contains(&found.kind))
        };
        let number = format!("{system}|{value}");
        self.scopes(from.container).find_map(|scope| {
            let known = scope.identifiers.get_or_init(|| self.identifiers(scope));
            known.get(&number)?.iter().copied().find(wanted)
        })
    }

    /// The container and those around it, innermost first.
    fn scopes(&self, container: usize) -> impl Iterator<Item = &Container<'a>> {
        let first = self.containers.get(container);
        std::iter::successors(first, |inner| self.containers.get(inner.outer?))
    }

    fn identifiers(&self, scope: &Container) -> HashMap<String, Vec<usize>> {
        let mut known: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, _) in &scope.entries {
            let Some(resource) = self.resources.get(*index) else {
                continue;
            };
            for identifier in resource.node.list("identifier") {
                if let (Some(system), Some(value)) =
                    (identifier.text("system"), identifier.text("value"))
                {
                    let number = format!("{system}|{value}");
                    known.entry(number).or_default().push(*index);
                }
            }
        }
        known
    }

    /// Enters a Bundle or Parameters and all that is in it.
    fn open(&mut self, node: &'a Node<'a>, pointer: String, outer: Option<usize>) {
        if node.resource_type() == Some("Parameters") {
            let container = self.container(node, Form::Parameters, outer);
            self.parameters(node.list("parameter"), &pointer, "parameter", container);
            return;
        }
        let form = Form::Bundle(node.text("type").unwrap_or_default());
        let container = self.container(node, form, outer);
        for (index, entry) in node.list("entry").iter().enumerate() {
            let at = format!("{pointer}/entry/{index}");
            match entry.get("resource") {
                Some(resource) => {
                    let full_url = entry.text("fullUrl");
                    self.put(resource, format!("{at}/resource"), at, full_url, container);
                }
                None => self.loose(container, at),
            }
        }
    }

    fn parameters(&mut self, list: &'a [Node<'a>], pointer: &str, name: &str, container: usize) {
        for (index, parameter) in list.iter().enumerate() {
            let at = format!("{pointer}/{name}/{index}");
            if let Some(resource) = parameter.get("resource") {
                self.put(resource, format!("{at}/resource"), at, None, container);
            } else if parameter.list("part").is_empty() {
                self.loose(container, at);
            } else {
                self.parameters(parameter.list("part"), &at, "part", container);
            }
        }
    }

    fn put(
        &mut self,
        node: &'a Node<'a>,
        pointer: String,
        entry: String,
        full_url: Option<&'a str>,
        container: usize,
    ) {
        if matches!(node.resource_type(), Some("Bundle" | "Parameters")) {
            self.open(node, pointer, Some(container));
        } else {
            self.add(node, pointer, entry, full_url, container);
        }
    }

    fn add(
        &mut self,
        node: &'a Node<'a>,
        pointer: String,
        entry: String,
        full_url: Option<&'a str>,
        container: usize,
    ) {
        let owner = self.resources.len();
        let kind = node.resource_type().unwrap_or_default();
        self.resources.push(Resource {
            node,
            kind,
            pointer: pointer.clone(),
            owner,
            container,
        });
        for (index, inner) in node.list("contained").iter().enumerate() {
            if let Some(id) = inner.text("id") {
                let next = self.resources.len();
                self.contained.entry((owner, id)).or_insert(next);
            }
            self.resources.push(Resource {
                node: inner,
                kind: inner.resource_type().unwrap_or_default(),
                pointer: format!("{pointer}/contained/{index}"),
                owner,
                container,
            });
        }
        let Some(scope) = self.containers.get_mut(container) else {
            return;
        };
        scope.entries.push((owner, entry));
        if matches!(kind, "MessageHeader" | "Composition") {
            scope.frame.get_or_insert(owner);
        }
        let mut name = |name: String| {
            scope.names.entry(name).or_insert(owner);
        };
        if let Some(url) = full_url {
            name(url.to_owned());
            // A relative reference is told apart by the last two steps of the full URL.
            let mut steps = url.rsplit('/');
            if let (Some(id), Some(kind)) = (steps.next(), steps.next()) {
                name(format!("{kind}/{id}"));
            }
        }
        if let Some(id) = node.text("id") {
            name(format!("{kind}/{id}"));
            name(format!("urn:uuid:{id}"));
        }
    }

    fn container(&mut self, node: &'a Node<'a>, form: Form<'a>, outer: Option<usize>) -> usize {
        self.containers.push(Container {
            node,
            form,
            entries: Vec::new(),
            frame: None,
            loose: Vec::new(),
            outer,
            names: HashMap::new(),
            identifiers: OnceCell::new(),
        });
        self.containers.len().saturating_sub(1)
    }

    fn loose(&mut self, container: usize, place: String) {
        if let Some(container) = self.containers.get_mut(container) {
            container.loose.push(place);
        }
    }
}
