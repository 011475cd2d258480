import Core
import Foundation

/// What a run is made of, without a single value of its parameters.
struct CheckSubject {
    let configuration: RunConfiguration
    let folder: ModelFolder
    let passes: GroupPasses
    /// Values that are trained.
    let parameters: Int
    /// Bytes of all tensors in the model's files.
    let fileBytes: Double
    let trainable: Trainable
    /// What pictures become, as `know` has told.
    private(set) var encoder: GroupEncoder

    init(_ configuration: RunConfiguration) throws {
        self.configuration = configuration
        folder = try configuration.modelFolder()
        trainable = try configuration.resolvedTrainable()
        // Names and shapes alone.
        parameters = try folder.model(trainable: trainable, seed: configuration.seed, hasValues: false).parameters.count
        passes = GroupPasses(folder, trainable, configuration)
        fileBytes = try TensorCatalog(folder: folder.url).bytes
        encoder = try GroupEncoder(folder, template: configuration.model.prompt)
    }

    var objective: any Objective { passes.objective }

    /// data.train, and data.eval if there is one.
    func readFiles() throws -> [PreferenceFile] {
        try ([configuration.data.train] + [configuration.data.eval].compactMap { $0 }).map {
            try PreferenceFile(contentsOf: $0, images: configuration.data.images)
        }
    }

    /// Takes the sizes of pictures that ranks have read together.
    mutating func know(_ sizes: [String: PixelSize]) throws(MISPError) {
        encoder.places = try encoder.places.knowing(sizes)
    }

    func encode(_ group: PreferenceGroup, in file: PreferenceFile) throws(MISPError) -> EncodedGroup {
        try encoder.encode(group, at: file.url.relativePath)
    }

    /// Encodes a group and counts what a step does with it.
    func facts(_ group: PreferenceGroup, in file: PreferenceFile) throws -> GroupFacts {
        var facts = GroupFacts()
        let encoded: EncodedGroup
        do throws(MISPError) {
            encoded = try encode(group, in: file)
        } catch {
            facts.fault = PossibleFault(error)
            return facts
        }
        facts.odd = OddGroup(objective.needs).faults(group, encoded)
        let data = try PreparedData([encoded], configuration, encoder: encoder)
        facts.lack = LearningSense.lack(of: data.groups[0], objective.needs)
        let draw = data.draw(0, epoch: 0)
        facts.pool = group.negatives.count
        facts.hasText = objective.needs.rejected && encoded.rejected != nil
        facts.hasImage = objective.needs.negatives != .none && !draw.indices.isEmpty
        let pictures = ([encoded.image] + encoded.negatives).map(\.place.tokens.count)
        (facts.leastPicture, facts.mostPicture) = (pictures.min() ?? 0, pictures.max() ?? 0)
        facts.prompt = encoded.prompt.before.count + facts.mostPicture + encoded.prompt.after.count
        facts.chosen = encoded.chosen.count
        facts.rejected = encoded.rejected?.count
        facts.vision = ([data.groups[0].image] + data.groups[0].negatives).reduce(0) { sum, image in
            let cost = folder.configuration.family.cost(image.shape)
            return sum + cost.tower + cost.connector
        }
        facts.bytes = passes.memberBytes(data.groups[0], draw)
        let batches = passes.layout(data.groups[0], draw).batches
        for batch in batches {
            facts.forward += passes.operations(batch).forward
            facts.step += passes.stepOperations(batch, isSplit: batches.count > 1).all
        }
        return facts
    }
}

/// What is known of a group before anything is computed.
struct GroupFacts: Codable {
    var fault = PossibleFault(nil)
    /// What makes it teach little; what it lacks where it teaches nothing.
    var odd: [String] = []
    var lack: String?
    /// Negatives in the pool.
    var pool = 0
    /// Whether the objective at hand finds what its text term and its image term compare.
    var hasText = false
    var hasImage = false
    /// Tokens of the group's pictures.
    var leastPicture = 0
    var mostPicture = 0
    /// Tokens of the prompt, with the largest picture's, and of the responses.
    var prompt = 0
    var chosen = 0
    var rejected: Int?
    /// Of activations.
    var bytes = MemberBytes()
    /// Operations of one pass of all of the group's pictures through the vision encoder.
    var vision = 0.0
    /// Operations of a forward pass, and of the group's whole share of a step.
    var forward = 0.0
    var step = 0.0

    /// Tokens of the longest sequence.
    var longest: Int { prompt + max(chosen, rejected ?? 0) }
}

/// A file of groups that has been looked at.
struct CheckedFile {
    let place: String
    let groups: [GroupFacts]
    let lines: [Int]
    let sense: LearningSense

    init(_ file: PreferenceFile, _ groups: [GroupFacts], _ objective: Objective) {
        place = file.url.relativePath
        (self.groups, lines) = (groups, file.groups.map(\.line))
        sense = LearningSense(
            objective, total: groups.count, lacks: groups.compactMap(\.lack), at: place, unread: file.unread)
    }

    var faults: [MISPError] { groups.compactMap(\.fault.fault) }

    var odd: [MISPError] {
        zip(lines, groups).flatMap { line, group in group.odd.map { MISPError($0, at: "\(place):\(line)") } }
    }
}
