import Core

/// Bytes of activations of a group's largest batch, by `compute.members`, and what a run will take.
struct MemberBytes: Codable {
    var joint = 0.0
    var recompute = 0.0
    var streaming = 0.0
    var used = 0.0

    /// Of the group that has most, for each by itself.
    static func largest(_ groups: [MemberBytes]) -> MemberBytes {
        func most(_ way: KeyPath<MemberBytes, Double>) -> Double { groups.map { $0[keyPath: way] }.max() ?? 0 }
        return MemberBytes(
            joint: most(\.joint), recompute: most(\.recompute), streaming: most(\.streaming), used: most(\.used))
    }
}

extension GroupPasses {
    func memberBytes(_ group: EncodedGroup, _ draw: NegativeDraw) -> MemberBytes {
        func most(_ layout: GroupLayout, _ bytes: (GroupLayout.Batch) -> Double) -> Double {
            layout.batches.map(bytes).max() ?? 0
        }
        let joint = layout(group, draw, isJoint: true)
        return MemberBytes(
            joint: most(joint, activationBytes), recompute: most(joint, recomputationBytes),
            streaming: most(layout(group, draw, isJoint: false)) {
                activationBytes($0) > Self.jointLimitBytes ? recomputationBytes($0) : activationBytes($0)
            },
            used: most(layout(group, draw)) { recomputes($0) ? recomputationBytes($0) : activationBytes($0) })
    }
}
