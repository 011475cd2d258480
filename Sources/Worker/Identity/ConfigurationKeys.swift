import Core

extension RunConfiguration {
    /// Where things lie, which says nothing of what they hold.
    private static let places: Set = [
        "output", "cache.folder", "model.path", "model.adapter", "data.train", "data.eval", "data.images",
        "evaluation.benchmarks",
    ]

    /// What may differ from host to host.
    static let machineKeys = places.union(["compute.threads"])

    /// What may change before a run is gone on with: places, and how the work is done and kept.
    static let runKeys = places.union(["checkpoint", "evaluation", "compute.members", "compute.threads", "cache"])
}

extension JSON {
    /// Without the members of those names, `section.key` below the top.
    func without(_ names: Set<String>, under prefix: String = "") -> JSON {
        guard let object else { return self }
        return .object(
            JSON.Object(
                object.members.filter { !names.contains(prefix + $0.key) }
                    .map { ($0.key, $0.value.without(names, under: "\(prefix)\($0.key).")) }))
    }

    /// The first key with different values.
    func firstDifference(from other: JSON?) -> (key: String, now: String, then: String)? {
        guard self != other else { return nil }
        guard let members = object?.members, let others = other?.object else {
            return ("", description, other?.description ?? "absent")
        }
        for key in members.map(\.key) + others.keys {
            guard let value = self[key] else { return (key, "absent", others[key]?.description ?? "absent") }
            guard let found = value.firstDifference(from: others[key]) else { continue }
            return (found.key.isEmpty ? key : "\(key).\(found.key)", found.now, found.then)
        }
        return nil
    }
}
