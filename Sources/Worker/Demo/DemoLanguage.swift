import Core

/// The closed language of the demonstration: 26 words.
package enum DemoLanguage {
    package static let captionPrompt = "what is in the picture ?"

    static let rows = ["top", "middle", "bottom"]
    static let columns = ["left", "center", "right"]

    package static let words =
        ["is", "there", "a", "?", "yes", "no", "what", "at", "the", "in", "picture", "and"]
        + Shape.allCases.map { "\($0)" } + Colour.allCases.map { "\($0)" } + rows + columns

    package static func place(_ cell: Int) -> String {
        "\(rows[cell / Scene.side]) \(columns[cell % Scene.side])"
    }

    package static func question(_ look: Look) -> String { "is there a \(look.name) ?" }
}

extension Scene {
    /// `a red ring at the top left and a blue cross at the middle center`
    package var caption: String {
        things.map { "a \($0.look.name) at the \(DemoLanguage.place($0.cell))" }.joined(separator: " and ")
    }
}

/// A question about a picture, its true answer, and what a model might say or see instead.
package struct DemoQuestion: Sendable {
    /// A description asked for; a thing asked for that is there; or one that is not, chosen as POPE does (Li et al.,
    /// arXiv 2305.10355): any, one in its usual colour, or one whose shape and colour both are in the picture.
    package enum Kind: String, CaseIterable, Sendable {
        case caption, present, random, popular, adversarial
    }

    package let kind: Kind
    package let scene: Scene
    /// Keys the strokes of the picture and of its negatives.
    package let strokes: UInt64
    package let prompt: String
    /// The true answer, then the false ones; of a caption, in the order of `errors`.
    package let answers: [String]
    /// Scenes for which the true answer is false.
    package let negatives: [Scene]

    /// What is wrong in a caption's false answers.
    package static let errors = ["colour", "object", "place"]

    /// The question number `index` of a set of questions.
    /// - Parameter isHeldOut: of the scene. Where it is false, no negative is a held-out scene either.
    package init(_ kind: Kind, seed: UInt64, set: String, index: Int, isHeldOut: Bool) {
        var random = KeyedRandom(seed, set, String(index))
        while true {
            let scene = Scene.random(&random, usual: 33, isHeldOut: isHeldOut)
            let question = DemoQuestion(kind, about: scene, &random)
            if isHeldOut || !question.negatives.contains(where: \.isHeldOut) {
                self = question
                return
            }
        }
    }

    private init(_ kind: Kind, about scene: Scene, _ random: inout KeyedRandom) {
        self.kind = kind
        self.scene = scene
        strokes = random.next()
        let thing = random.pick(scene.things)
        func seen(_ look: Look) -> Scene { scene.replacing(thing, by: Thing(look: look, cell: thing.cell)) }
        let recoloured = seen(scene.misread(thing.look, &random) { $0.shape == thing.look.shape })
        let reshaped = seen(scene.misread(thing.look, &random) { $0.colour == thing.look.colour })
        let freeCell = random.pick(scene.freeCells)
        switch kind {
        case .caption:
            negatives = [recoloured, reshaped, scene.replacing(thing, by: Thing(look: thing.look, cell: freeCell))]
            prompt = DemoLanguage.captionPrompt
            answers = [scene.caption] + negatives.map(\.caption)
        case .present:
            let other = random.pick(
                Look.all.filter {
                    $0.shape != thing.look.shape && $0.colour != thing.look.colour && !scene.looks.contains($0)
                })
            negatives = [recoloured, reshaped, seen(other)]
            prompt = DemoLanguage.question(thing.look)
            answers = ["yes", "no"]
        case .random, .popular, .adversarial:
            let absent = scene.absentLook(kind, &random)
            let others = scene.things.filter { $0 != thing }
            negatives =
                [seen(absent)] + others.map { scene.replacing($0, by: Thing(look: absent, cell: $0.cell)) }
                + [scene.adding(Thing(look: absent, cell: freeCell))]
            prompt = DemoLanguage.question(absent)
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
        case .caption, .present, .random: break
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
        if random.below(2) == 0 {
            (prompt, answer) = (DemoLanguage.captionPrompt, seen.caption)
        } else if random.below(2) == 0 {
            (prompt, answer) = (DemoLanguage.question(random.pick(seen.things).look), "yes")
        } else {
            (prompt, answer) = (DemoLanguage.question(seen.absentLook(.random, &random)), "no")
        }
    }
}
