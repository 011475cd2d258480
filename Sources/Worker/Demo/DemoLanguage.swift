import Core

/// The closed language of the demonstration: 27 words.
package enum DemoLanguage {
    package static let captionPrompt = "what is in the picture ?"

    static let rows = ["top", "middle", "bottom"]
    static let columns = ["left", "center", "right"]

    package static let words =
        ["is", "there", "a", "?", "yes", "no", "what", "where", "at", "the", "in", "picture", "and"]
        + Shape.allCases.map { "\($0)" } + Colour.allCases.map { "\($0)" } + rows + columns

    package static func place(_ cell: Int) -> String {
        "\(rows[cell / Scene.side]) \(columns[cell % Scene.side])"
    }

    static func thingPrompt(_ cell: Int) -> String { "what is at the \(place(cell)) ?" }
    static func placePrompt(_ look: Look) -> String { "where is the \(look.name) ?" }
    package static func question(_ look: Look) -> String { "is there a \(look.name) ?" }
}

extension Scene {
    /// `a red ring at the top left and a blue cross at the middle center`
    package var caption: String {
        things.map { "a \($0.look.name) at the \(DemoLanguage.place($0.cell))" }.joined(separator: " and ")
    }
}

/// A question about a picture, its true answer, and what a model might say instead.
package struct DemoQuestion: Sendable {
    /// A description asked for, of everything, of what is at a place, or of a place; a thing asked for that is there;
    /// or one that is not, chosen as POPE does (Li et al., arXiv 2305.10355): any, one in its usual colour, or one
    /// whose shape and colour both are in the picture.
    package enum Kind: String, CaseIterable, Sendable {
        case caption, thing, place, present, random, popular, adversarial

        /// Whether the true answer describes, so that it is wrong for most other pictures and negatives can be mined
        /// for it. A "no" holds for most. A "yes" has but one word to lower: on many pictures means on all, and the
        /// model stops saying yes or no (docs/method.md).
        package var takesNegatives: Bool { [.caption, .thing, .place].contains(self) }
    }

    package let kind: Kind
    package let scene: Scene
    /// Keys the strokes of the picture.
    package let strokes: UInt64
    package let prompt: String
    /// The true answer, then the false ones; of a caption, in the order of `errors`.
    package let answers: [String]

    /// What is wrong in a caption's false answers.
    package static let errors = ["colour", "object", "place"]

    /// The question number `index` of a set of questions.
    package init(_ kind: Kind, seed: UInt64, set: String, index: Int, isHeldOut: Bool) {
        var random = KeyedRandom(seed, set, String(index))
        self.init(kind, about: Scene.random(&random, usual: 33, isHeldOut: isHeldOut), &random)
    }

    private init(_ kind: Kind, about scene: Scene, _ random: inout KeyedRandom) {
        (self.kind, self.scene) = (kind, scene)
        strokes = random.next()
        let thing = random.pick(scene.things)
        let recoloured = scene.misread(thing.look, &random) { $0.shape == thing.look.shape }
        let reshaped = scene.misread(thing.look, &random) { $0.colour == thing.look.colour }
        let freeCell = random.pick(scene.freeCells)
        switch kind {
        case .caption:
            let misread = [
                Thing(look: recoloured, cell: thing.cell), Thing(look: reshaped, cell: thing.cell),
                Thing(look: thing.look, cell: freeCell),
            ]
            prompt = DemoLanguage.captionPrompt
            answers = [scene.caption] + misread.map { scene.replacing(thing, by: $0).caption }
        case .thing:
            prompt = DemoLanguage.thingPrompt(thing.cell)
            answers = [thing.look, recoloured, reshaped].map { "a \($0.name)" }
        case .place:
            let other = scene.things.first { $0 != thing }?.cell ?? freeCell
            prompt = DemoLanguage.placePrompt(thing.look)
            answers = [thing.cell, freeCell, other].map { "at the \(DemoLanguage.place($0))" }
        case .present:
            prompt = DemoLanguage.question(thing.look)
            answers = ["yes", "no"]
        case .random, .popular, .adversarial:
            prompt = DemoLanguage.question(scene.absentLook(kind, &random))
            answers = ["no", "yes"]
        }
    }
}

extension Scene {
    /// A look that is not in the scene; `kind` says which.
    func absentLook(_ kind: DemoQuestion.Kind, _ random: inout KeyedRandom) -> Look {
        let absent = Look.all.filter { !looks.contains($0) }
        let sameShape = absent.filter { look in looks.contains { $0.shape == look.shape } }
        var candidates = absent
        switch kind {
        case .popular: candidates = absent.filter(\.isUsual)
        case .adversarial:
            candidates = sameShape.filter { look in looks.contains { $0.colour == look.colour } }
            if candidates.isEmpty { candidates = sameShape }
        case .caption, .thing, .place, .present, .random: break
        }
        return random.pick(candidates)
    }

    /// What habit makes of `look`, among the looks that `isNear` allows: the usual one where that is not in the scene.
    fileprivate func misread(_ look: Look, _ random: inout KeyedRandom, isNear: (Look) -> Bool) -> Look {
        let candidates = Look.all.filter { isNear($0) && !looks.contains($0) }
        let usual = candidates.filter(\.isUsual)
        return random.pick(usual.isEmpty ? candidates : usual)
    }
}

/// A labelled picture of the warm-up. Its label comes from a careless annotator, who now and then writes down what is
/// usual, not what is there: every thing in the usual colour of its shape.
package struct DemoLabel: Sendable {
    package static let carelessness = 45

    package let scene: Scene
    package let strokes: UInt64
    package let prompt: String
    package let answer: String

    package init(seed: UInt64, index: Int) {
        var random = KeyedRandom(seed, "warm-up", String(index))
        scene = Scene.random(&random, usual: 40, isHeldOut: false)
        strokes = random.next()
        let seen = random.below(100) < Self.carelessness ? scene.remembered : scene
        let thing = random.pick(seen.things)
        switch random.below(10) {
        case 0..<4: (prompt, answer) = (DemoLanguage.captionPrompt, seen.caption)
        case 4: (prompt, answer) = (DemoLanguage.thingPrompt(thing.cell), "a \(thing.look.name)")
        case 5: (prompt, answer) = (DemoLanguage.placePrompt(thing.look), "at the \(DemoLanguage.place(thing.cell))")
        case 6, 7: (prompt, answer) = (DemoLanguage.question(thing.look), "yes")
        default: (prompt, answer) = (DemoLanguage.question(seen.absentLook(.random, &random)), "no")
        }
    }
}

/// A picture of the gallery with a text such as pictures have on the web: all that is to be seen, or one thing of it.
package struct DemoCaption: Sendable {
    package let scene: Scene
    package let strokes: UInt64
    package let text: String

    package init(seed: UInt64, index: Int) {
        var random = KeyedRandom(seed, "gallery", String(index))
        scene = Scene.random(&random, usual: 33, isHeldOut: false)
        strokes = random.next()
        text = random.below(3) == 0 ? Scene([random.pick(scene.things)]).caption : scene.caption
    }
}
