/// Whose rows a preference file has, told apart by their keys (docs/data.md, "Rows of other trainers").
enum RowFormat {
    /// misp's own, and TRL's: `prompt`, or `chosen` and `rejected` that hold it before their answers.
    case prompt
    /// ms-swift's: `messages` that end in the chosen answer; what is rejected stands beside them.
    case messages
    /// LLaMA-Factory's in OpenAI's form: `messages` that end in the question, `chosen` and `rejected`.
    case openMessages
    /// LLaMA-Factory's in ShareGPT's form: `conversations` that end in the question, `chosen` and `rejected`.
    case conversations

    /// - Throws: `MISPError` for a format that is known and not read
    init(_ row: JSONField) throws(MISPError) {
        if row["prompt"].isPresent {
            self = .prompt
        } else if row["messages"].isPresent {
            self = row["chosen"].isPresent ? .openMessages : .messages
        } else if row["conversations"].isPresent {
            self = .conversations
        } else {
            for (key, name) in [("instruction", "Alpaca"), ("question", "RLAIF-V"), ("text", "RLHF-V")]
            where row[key].isPresent {
                throw row[key].failure(
                    "is a key of the format of \(name), which is not read",
                    remedy: "launch/import makes groups of such files (docs/data.md)")
            }
            guard row["chosen"].isPresent else {
                throw row.failure("has no prompt, messages or conversations", remedy: Self.known)
            }
            self = .prompt
        }
        for key in Self.refused.sorted() {
            // Of the last two, false says something: that the answer is a bad one.
            guard let value = row[key].value, !value.isNull, !value.saysNothing || value == false else { continue }
            throw row[key].failure(
                "is \(value.shortDescription), which no part of a group can hold",
                remedy: "remove the row, or the key if nothing depends on it")
        }
    }

    /// Keys of a row that are read.
    var keys: Set<String> {
        switch self {
        case .prompt: ["id", "prompt", "chosen", "rejected", "image", "images", "negatives"]
        case .messages:
            [
                "id", "messages", "system", "rejected_response", "rejected_messages", "image", "images",
                "rejected_images", "negatives",
            ]
        case .openMessages: ["id", "messages", "system", "chosen", "rejected", "image", "images", "negatives"]
        case .conversations: ["id", "conversations", "system", "chosen", "rejected", "image", "images", "negatives"]
        }
    }

    /// Keys whose content no part of a group can hold. Without content they say nothing.
    static let refused: Set<String> = [
        "videos", "audios", "tools", "objects", "label", "kto_tag", "chat_template_kwargs", "rejected_videos",
        "rejected_audios", "rejected_tools",
    ]

    /// What a line that is no group might have been.
    static let known =
        "known rows: misp's and TRL's (prompt, chosen, rejected, image or images), ms-swift's (messages, "
        + "rejected_response or rejected_images, images), LLaMA-Factory's (conversations or messages, chosen, "
        + "rejected, images)"
}
