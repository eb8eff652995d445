//! The tree: roots, tiles and proofs of every size against the definitions of RFC 6962, written down naively, and
//! against another implementation.

use std::collections::BTreeMap;

use takmil_domain::audit::{
    Asset, Edge, Frontier, Path, TILE_WIDTH, Tile, Tiles, TreeHash, proves_consistency,
    proves_inclusion,
};

/// The inputs and roots that implementations of RFC 6962 test with.
const VECTORS: &[(&str, &str)] = &[
    (
        "",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    ),
    (
        "00",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    ),
    (
        "10",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    ),
    (
        "2021",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (
        "3031",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    ),
    (
        "40414243",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    ),
    (
        "5051525354555657",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    ),
    (
        "606162636465666768696a6b6c6d6e6f",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
];

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

fn leaves(count: u64) -> Vec<TreeHash> {
    (0..count)
        .map(|leaf| TreeHash::of_leaf(&leaf.to_be_bytes()))
        .collect()
}

/// The largest power of two smaller than `count`.
fn split(count: usize) -> usize {
    let mut power = 1;
    while power * 2 < count {
        power *= 2;
    }
    power
}

/// MTH of RFC 6962, 2.1.
fn root(leaves: &[TreeHash]) -> TreeHash {
    match leaves {
        [] => TreeHash::of_nothing(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            TreeHash::of_node(&root(left), &root(right))
        }
    }
}

/// PATH of RFC 6962, 2.1.1.
fn inclusion(index: usize, leaves: &[TreeHash]) -> Vec<TreeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path, other) = match index < middle {
        true => (inclusion(index, left), root(right)),
        false => (inclusion(index - middle, right), root(left)),
    };
    path.push(other);
    path
}

/// SUBPROOF of RFC 6962, 2.1.2.
fn consistency(old: usize, leaves: &[TreeHash], whole: bool) -> Vec<TreeHash> {
    if old == leaves.len() {
        return match whole {
            true => Vec::new(),
            false => vec![root(leaves)],
        };
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path, other) = match old <= middle {
        true => (consistency(old, left, whole), root(right)),
        false => (consistency(old - middle, right, false), root(left)),
    };
    path.push(other);
    path
}

/// All tiles of a tree, grown in steps.
fn grown(leaves: &[TreeHash], step: usize) -> (Edge, BTreeMap<(u8, u64), Vec<u8>>) {
    let mut edge = Edge::default();
    let mut tiles = BTreeMap::new();
    for batch in leaves.chunks(step) {
        for grown in edge.append(batch) {
            tiles.insert((grown.tile.level, grown.tile.index), grown.bytes);
        }
    }
    (edge, tiles)
}

fn kept(tiles: &BTreeMap<(u8, u64), Vec<u8>>, wanted: impl IntoIterator<Item = Tile>) -> Tiles {
    let mut kept = Tiles::default();
    for tile in wanted {
        kept.insert(tile.level, tile.index, &tiles[&(tile.level, tile.index)]);
    }
    kept
}

#[test]
fn roots_are_those_that_other_implementations_know() {
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(TreeHash::of_nothing().0.as_slice(), from_hex(nothing));
    let mut frontier = Frontier::default();
    for (leaf, root) in VECTORS {
        frontier.push(TreeHash::of_leaf(&from_hex(leaf)));
        assert_eq!(frontier.root().0.as_slice(), from_hex(root), "{leaf}");
    }
    let long = vec![7; 1_000];
    let naive = tlog_tiles::record_hash(&long).0;
    assert_eq!(TreeHash::of_leaf(&long).0, naive, "long leaves as well");
}

#[test]
fn every_proof_in_every_small_tree_is_the_defined_one_and_holds() {
    let all = leaves(300);
    let (_, tiles) = grown(&all, 1);
    for size in 1..=300_usize {
        let here = &all[..size];
        let root = root(here);
        assert_eq!(here.iter().copied().collect::<Frontier>().root(), root);
        for index in (0..size).step_by(1 + size / 20) {
            let path = Path::to_entry(index as u64, size as u64).unwrap();
            // Only the tiles that it names are there.
            let proof = path.hashes(&kept(&tiles, path.tiles())).unwrap();
            assert_eq!(proof, inclusion(index, here), "{index} in {size}");
            let holds = |leaf, at| proves_inclusion(leaf, at, size as u64, &proof, root);
            assert!(holds(here[index], index as u64));
            assert!(!holds(TreeHash::of_nothing(), index as u64));
            assert!(!holds(here[index], (index as u64 + 1) % (size as u64 + 1)));
        }
        for old in (0..=size).step_by(1 + size / 20) {
            let path = Path::between(old as u64, size as u64).unwrap();
            let proof = path.hashes(&kept(&tiles, path.tiles())).unwrap();
            if old > 0 {
                assert_eq!(proof, consistency(old, here, true), "{old} in {size}");
            }
            let old = (old as u64, self::root(&here[..old]));
            assert!(proves_consistency(old, (size as u64, root), &proof));
            let other = (old.0, TreeHash::of_leaf(b"other"));
            assert!(!proves_consistency(other, (size as u64, root), &proof));
        }
    }
}

#[test]
fn a_changed_proof_proves_nothing() {
    let all = leaves(77);
    let (_, tiles) = grown(&all, 77);
    let tiles = kept(&tiles, Tile::all(77));
    let root = root(&all);
    let included =
        |index, proof: &[TreeHash]| proves_inclusion(all[index as usize], index, 77, proof, root);
    for index in 0..77 {
        let proof = Path::to_entry(index, 77).unwrap().hashes(&tiles).unwrap();
        for at in 0..proof.len() {
            let mut changed = proof.clone();
            changed[at].0[5] ^= 4;
            assert!(!included(index, &changed));
            changed.remove(at);
            assert!(!included(index, &changed));
        }
        assert!(!included(index, &[proof, vec![root]].concat()));
    }
    assert!(!proves_inclusion(root, 0, 0, &[], root));
    assert!(!proves_consistency((9, root), (8, root), &[]));
    assert!(!proves_consistency((0, root), (8, root), &[]));
    assert!(!proves_consistency((5, root), (8, root), &[]));
    assert_eq!(Path::to_entry(77, 77), None);
    assert_eq!(Path::between(78, 77), None);
}

#[test]
fn another_implementation_takes_our_proofs() {
    let all = leaves(1_000);
    let (_, tiles) = grown(&all, 1_000);
    let tiles = kept(&tiles, Tile::all(1_000));
    let other = |hash: TreeHash| tlog_tiles::Hash(hash.0);
    let proof = |path: Option<Path>| -> Vec<tlog_tiles::Hash> {
        let hashes = path.unwrap().hashes(&tiles).unwrap();
        hashes.into_iter().map(other).collect()
    };
    for size in [1, 2, 255, 256, 257, 511, 700, 1_000_u64] {
        let root = other(root(&all[..size as usize]));
        for index in (0..size).step_by(31) {
            let proof = proof(Path::to_entry(index, size));
            let leaf = other(all[index as usize]);
            tlog_tiles::check_record(&proof, size, root, index, leaf).unwrap();
        }
        for old in (1..=size).step_by(31) {
            let proof = proof(Path::between(old, size));
            let old_root = other(self::root(&all[..old as usize]));
            tlog_tiles::check_tree(&proof, size, root, old, old_root).unwrap();
        }
    }
}

#[test]
fn tiles_are_those_of_the_specification_however_the_tree_grew() {
    // The specification's own example.
    let tiles: Vec<Tile> = Tile::all(70_000).collect();
    let count = |level: u8, complete: bool| {
        let of = |tile: &&Tile| tile.level == level && tile.is_complete() == complete;
        tiles.iter().filter(of).count()
    };
    assert_eq!((count(0, true), count(0, false)), (273, 1));
    assert_eq!((count(1, true), count(1, false)), (1, 1));
    assert_eq!(
        Tile::partials(70_000)
            .iter()
            .map(|tile| (tile.level, tile.width))
            .collect::<Vec<_>>(),
        [(2, 1), (1, 17), (0, 112)]
    );
    assert_eq!(
        Tile::all(256).map(|tile| tile.width).collect::<Vec<_>>(),
        [256, 1]
    );

    let all = leaves(70_000);
    let (edge, at_once) = grown(&all, 70_000);
    assert_eq!(edge.root(), root(&all));
    for step in [1, 255, 256, 1_000] {
        assert!(grown(&all, step).1 == at_once, "in steps of {step}");
    }
    assert_eq!(at_once.len(), tiles.len());
    for tile in tiles {
        let bytes = &at_once[&(tile.level, tile.index)];
        assert_eq!(bytes.len(), usize::from(tile.width) * 32);
        let span = 256_usize.pow(u32::from(tile.level));
        let first = tile.index as usize * 256 * span;
        assert_eq!(bytes[..32], root(&all[first..first + span]).0);
    }
}

#[test]
fn a_tree_goes_on_from_its_last_tiles_alone() {
    let all = leaves(66_000);
    let (after, _) = grown(&all, 66_000);
    for size in [0, 1, 255, 256, 300, 65_535, 65_536, 65_800_usize] {
        let (edge, tiles) = grown(&all[..size], 777);
        let partials = Tile::partials(size as u64);
        let mut restored = Edge::restore(size as u64, &kept(&tiles, partials.clone())).unwrap();
        assert_eq!(restored, edge);
        let grown = restored.append(&all[size..]);
        assert_eq!(restored, after);
        assert!(
            grown
                .iter()
                .all(|grown| grown.bytes.len() == usize::from(grown.tile.width) * 32)
        );
        if let Some(missing) = partials.first() {
            let rest = kept(&tiles, partials[1..].to_vec());
            let error = Edge::restore(size as u64, &rest).unwrap_err();
            assert_eq!((error.level, error.index), (missing.level, missing.index));
        }
    }
    let (edge, _) = grown(&all[..300], 300);
    let mut same = edge.clone();
    assert_eq!(same.append(&[]), [], "nothing appended, nothing written");
    assert!(
        Frontier::default()
            .push_subtree(63, TreeHash::of_nothing())
            .is_err()
    );
    let mut one = Frontier::default();
    one.push(all[0]);
    assert!(
        one.push_subtree(1, all[1]).is_err(),
        "it would be out of place"
    );
}

#[test]
fn a_proof_in_a_large_tree_takes_few_tiles() {
    for (index, size) in [
        (0, 1 << 40),
        (123_456_789, 987_654_321),
        ((1 << 40) - 1, 1 << 40),
    ] {
        let tiles = Path::to_entry(index, size).unwrap().tiles();
        assert!(tiles.len() <= 10, "{} tiles", tiles.len());
        let tiles = Path::between(index.max(1), size).unwrap().tiles();
        assert!(tiles.len() <= 10, "{} tiles", tiles.len());
    }
}

#[test]
fn paths_of_tiles_have_one_spelling() {
    let tile = |level, index, width| Tile {
        level,
        index,
        width,
    };
    let cases = [
        (Asset::Hashes(tile(0, 0, TILE_WIDTH)), "tile/0/000"),
        (Asset::Hashes(tile(1, 5, 17)), "tile/1/005.p/17"),
        (Asset::Hashes(tile(63, 999, TILE_WIDTH)), "tile/63/999"),
        (
            Asset::Entries(tile(0, 1_000, 1)),
            "tile/entries/x001/000.p/1",
        ),
        (
            Asset::Entries(tile(0, 1_234_067, TILE_WIDTH)),
            "tile/entries/x001/x234/067",
        ),
    ];
    for (asset, path) in cases {
        assert_eq!(asset.to_string(), path);
        assert_eq!(Asset::parse(path), Some(asset));
    }
    let largest = Asset::Hashes(tile(0, u64::MAX, TILE_WIDTH));
    assert_eq!(Asset::parse(&largest.to_string()), Some(largest));
    for wrong in [
        "",
        "tile/0/",
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/entries/000.p/256",
        "tile/0/000.p/0",
        "tile/0/000.p/007",
        "tile/0/x000/000",
        "tile/0/x00/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/+01",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/..%2f/000",
    ] {
        assert_eq!(Asset::parse(wrong), None, "{wrong}");
    }
}
