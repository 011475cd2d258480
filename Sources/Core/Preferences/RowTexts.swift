/// The texts of a row of preference data, in any format that `RowFormat` knows.
///
/// There is one question, with a system message before it at the most, and one answer of each kind. The prompt template
/// places the picture.
struct RowTexts {
    let prompt: String
    /// nil where the prompt is one text.
    let message: PreferenceGroup.Message?
    let chosen: String
    let rejected: String?

    init(_ row: JSONField, _ format: RowFormat) throws(MISPError) {
        let place: JSONField
        let question: Question
        switch format {
        case .prompt:
            let (before, answer) = try Self.answer(row["chosen"], hasPrompt: row["prompt"].isPresent)
            chosen = answer
            place = row[before == nil || row["prompt"].isPresent ? "prompt" : "chosen"]
            question = if let before { try Question(before, at: place) } else { try Question(place) }
            rejected = try Self.rejected(row["rejected"], hasPrompt: before == nil, question)
        case .messages:
            place = row["messages"]
            let (before, answer) = try Self.answer(place, hasPrompt: false)
            guard let before else {
                throw place.failure("holds an answer alone", remedy: "the question stands before it")
            }
            (question, chosen) = (try Question(before, at: place, marked: true, system: row["system"]), answer)
            rejected = try Self.rejectedOfSwift(row, question, chosen: chosen)
        case .openMessages, .conversations:
            place = row[format == .openMessages ? "messages" : "conversations"]
            question = try Question(RowMessage.list(place)[...], at: place, marked: true, system: row["system"])
            chosen = try Self.answer(row["chosen"], hasPrompt: true).text
            rejected = try Self.rejected(row["rejected"], hasPrompt: true, question)
        }
        prompt = question.parts.joined(separator: " ")
        let isOneText = question.parts.count == 1 && question.system == nil && question.picture == 0
        message =
            isOneText
            ? nil
            : .init(system: question.system, parts: question.parts, picture: question.picture, place: place.place)
    }

    /// - Parameter hasPrompt: whether it holds the answer alone
    private static func rejected(
        _ field: JSONField, hasPrompt: Bool, _ question: Question, marked: Bool = false, system: JSONField? = nil
    ) throws(MISPError) -> String? {
        guard field.isPresent else { return nil }
        let (before, text) = try answer(field, hasPrompt: hasPrompt)
        if let before, try Question(before, at: field, marked: marked, system: system) != question {
            throw field.failure("answers another prompt", remedy: "a group's two answers are to one question")
        }
        return text
    }

    /// ms-swift has the rejected answer alone, or behind the whole conversation again.
    private static func rejectedOfSwift(
        _ row: JSONField, _ question: Question, chosen: String
    ) throws(MISPError) -> String? {
        let (alone, whole) = (row["rejected_response"], row["rejected_messages"])
        if alone.isPresent, whole.isPresent {
            throw whole.failure("stands beside rejected_response", remedy: "keep one of the two")
        }
        let text =
            try alone.isPresent
            ? answer(alone, hasPrompt: true).text
            : rejected(whole, hasPrompt: false, question, marked: true, system: row["system"])
        // Beside rejected pictures the same answer says that the picture alone is wrong.
        return row["rejected_images"].isPresent && text == chosen ? nil : text
    }

    /// An answer, and the messages before it where there are some and the row has no prompt of its own.
    private static func answer(
        _ field: JSONField, hasPrompt: Bool
    ) throws(MISPError) -> (before: ArraySlice<RowMessage>?, text: String) {
        let messages: [RowMessage]
        if field.value?.object != nil {
            messages = [try RowMessage(field)]
        } else if field.value?.array != nil {
            messages = try RowMessage.list(field)
        } else {
            return (nil, try text(field))
        }
        guard messages.count == 1 || !hasPrompt && messages.count > 1, let last = messages.last else {
            throw field.failure(
                "holds \(messages.count) messages",
                remedy: hasPrompt ? "beside a prompt it holds the answer alone" : "it ends in the answer")
        }
        try last.check(role: "assistant")
        return (messages.count == 1 ? nil : messages.dropLast(), try text(last.text(as: "an answer")))
    }

    /// A text that is to be read as it stands.
    fileprivate static func text(_ field: JSONField) throws(MISPError) -> String {
        let text = try checked(field.string(), at: field)
        if text.isBlank { throw field.failure("is empty") }
        return text
    }

    fileprivate static func checked(_ text: String, at field: JSONField) throws(MISPError) -> String {
        do {
            try PromptTemplate.checkText(text)
        } catch {
            throw field.failure(error.what, remedy: error.remedy)
        }
        return text
    }
}

/// What is asked.
private struct Question: Equatable {
    var system: String?
    var parts: [String]
    /// Parts before the picture.
    var picture = 0

    init(_ field: JSONField) throws(MISPError) {
        if field.value?.array == nil {
            self.init(parts: [try RowTexts.text(field)])
        } else {
            try self.init(RowMessage.list(field)[...], at: field)
        }
    }

    private init(parts: [String]) { self.parts = parts }

    /// - Parameters:
    ///   - marked: whether `<image>` in a text marks the picture's place
    ///   - system: a system message that stands beside the messages
    init(
        _ messages: ArraySlice<RowMessage>, at field: JSONField, marked: Bool = false, system beside: JSONField? = nil
    ) throws(MISPError) {
        var messages = messages
        if let beside, let value = beside.value, !value.saysNothing { system = try RowTexts.text(beside) }
        if let first = messages.first, first.role == "system" {
            if let beside, system != nil {
                throw beside.failure("stands beside a system message", remedy: "keep one of the two")
            }
            system = try RowTexts.text(first.text(as: "a system message"))
            messages.removeFirst()
        }
        guard messages.count == 1, let question = messages.first else {
            throw field.failure(
                "asks in \(messages.count) messages, and conversations of several turns are not read",
                remedy: "a prompt is one message by the user, with a system message before it at the most")
        }
        try question.check(role: "user")
        var texts: [String] = []
        for text in question.texts { texts.append(try text.string()) }
        let marks = marked ? texts.reduce(0) { $0 + $1.ranges(of: Self.mark).count } : 0
        guard question.pictures + marks <= 1 else {
            throw question.field[question.contentKey].failure(
                "holds \(question.pictures + marks) images; a group has exactly one",
                remedy: "leave the others out, or make a row of each")
        }
        picture = question.textsBeforePicture
        if marks == 1 { (texts, picture) = try Self.unmarked(texts, at: question.field[question.contentKey]) }
        parts = []
        for (text, place) in zip(texts, question.texts) { parts.append(try RowTexts.checked(text, at: place)) }
        guard parts.contains(where: { !$0.isBlank }) else { throw field.failure("is empty") }
    }

    private static let mark = "<image>"

    /// Without the mark before or behind the texts, and the space around it there; and how many texts are before it.
    private static func unmarked(
        _ texts: [String], at field: JSONField
    ) throws(MISPError) -> (texts: [String], before: Int) {
        var texts = texts
        if let first = texts.first?.drop(while: \.isWhitespace), first.hasPrefix(mark) {
            texts[0] = String(first.dropFirst(mark.count).drop(while: \.isWhitespace))
            return (texts, 0)
        } else if let last = texts.last?.trimmingEnd, last.hasSuffix(mark) {
            texts[texts.count - 1] = String(last.dropLast(mark.count)).trimmingEnd
            return (texts, texts.count)
        } else {
            throw field.failure(
                "has \(mark) amid its text, and the template places the picture before it",
                remedy: "put \(mark) first, if the question means the same then")
        }
    }
}

extension String {
    fileprivate var isBlank: Bool { unicodeScalars.allSatisfy(\.properties.isWhitespace) }
    fileprivate var trimmingEnd: String { String(reversed().drop(while: \.isWhitespace).reversed()) }
}
