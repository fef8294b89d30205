//! Loops: which steps can be reached from themselves.

use std::collections::HashMap;
use std::collections::VecDeque;

/// The strongly connected components of a graph given by its edges, by Tarjan's algorithm.
///
/// Iterative, because a flow may have a chain of many thousand steps. Returns for each node the
/// number of its component.
pub(super) fn components(edges: &[Vec<usize>]) -> Vec<usize> {
    const UNSEEN: usize = usize::MAX;
    let nodes = edges.len();
    let mut number = vec![UNSEEN; nodes];
    let mut low = vec![0; nodes];
    let mut component = vec![UNSEEN; nodes];
    let mut open = Vec::new();
    let (mut next_number, mut next_component) = (0, 0);
    for root in 0..nodes {
        if number[root] != UNSEEN {
            continue;
        }
        // Each entry is a node and how many of its edges were followed.
        let mut path = vec![(root, 0)];
        while let Some((node, followed)) = path.pop() {
            if followed == 0 {
                number[node] = next_number;
                low[node] = next_number;
                next_number += 1;
                open.push(node);
            }
            match edges[node].get(followed) {
                Some(&target) => {
                    path.push((node, followed + 1));
                    if number[target] == UNSEEN {
                        path.push((target, 0));
                    } else if component[target] == UNSEEN {
                        low[node] = low[node].min(number[target]);
                    }
                }
                None => {
                    if low[node] == number[node] {
                        while let Some(member) = open.pop() {
                            component[member] = next_component;
                            if member == node {
                                break;
                            }
                        }
                        next_component += 1;
                    }
                    if let Some(&(parent, _)) = path.last() {
                        low[parent] = low[parent].min(low[node]);
                    }
                }
            }
        }
    }
    component
}

/// The edges that lead back to a node on the way from `root` to their source, in a depth-first
/// walk that takes the edges of a node in order. Every loop has at least one.
pub(super) fn back_edges(edges: &[Vec<usize>], root: usize) -> Vec<(usize, usize)> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Unseen,
        OnPath,
        Left,
    }
    let mut state = vec![State::Unseen; edges.len()];
    let mut found = Vec::new();
    let mut path = vec![(root, 0)];
    state[root] = State::OnPath;
    while let Some((node, followed)) = path.pop() {
        let Some(&target) = edges[node].get(followed) else {
            state[node] = State::Left;
            continue;
        };
        path.push((node, followed + 1));
        match state[target] {
            State::Unseen => {
                state[target] = State::OnPath;
                path.push((target, 0));
            }
            State::OnPath => found.push((node, target)),
            State::Left => {}
        }
    }
    found
}

/// A way from a node back to itself within its component.
pub(super) fn cycle_through(edges: &[Vec<usize>], component: &[usize], node: usize) -> Vec<usize> {
    let mut previous = HashMap::new();
    let mut queue = VecDeque::from([node]);
    while let Some(here) = queue.pop_front() {
        for &target in &edges[here] {
            if target == node {
                let mut way = vec![node];
                let mut step = here;
                while step != node {
                    way.push(step);
                    step = previous.get(&step).copied().unwrap_or(node);
                }
                way.push(node);
                way.reverse();
                return way;
            }
            if component[target] == component[node] && !previous.contains_key(&target) {
                previous.insert(target, here);
                queue.push_back(target);
            }
        }
    }
    Vec::new()
}

/// Which nodes can be reached from any of `roots`.
pub(super) fn reachable(edges: &[Vec<usize>], roots: impl IntoIterator<Item = usize>) -> Vec<bool> {
    let mut seen = vec![false; edges.len()];
    let mut open = Vec::new();
    for root in roots {
        seen[root] = true;
        open.push(root);
    }
    while let Some(node) = open.pop() {
        for &target in &edges[node] {
            if !std::mem::replace(&mut seen[target], true) {
                open.push(target);
            }
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_the_loops() {
        // 0 -> 1 <-> 2 -> 3 -> 3
        let edges = [vec![1], vec![2], vec![1, 3], vec![3]];
        let component = components(&edges);
        assert_eq!(component[1], component[2]);
        assert_ne!(component[0], component[1]);
        assert_ne!(component[2], component[3]);
        assert_eq!(back_edges(&edges, 0), [(2, 1), (3, 3)]);
        assert_eq!(cycle_through(&edges, &component, 1), [1, 2, 1]);
        assert_eq!(cycle_through(&edges, &component, 3), [3, 3]);
        assert!(cycle_through(&edges, &component, 0).is_empty());
    }

    #[test]
    fn a_long_chain_does_not_overflow_the_stack() {
        let edges: Vec<Vec<usize>> =
            (1..=200_000).map(|i| if i < 200_000 { vec![i] } else { vec![] }).collect();
        assert_eq!(components(&edges).len(), 200_000);
        assert!(back_edges(&edges, 0).is_empty());
        assert!(reachable(&edges, [0]).into_iter().all(|seen| seen));
    }
}
