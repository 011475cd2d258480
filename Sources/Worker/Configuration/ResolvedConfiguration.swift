import Core

/// A configuration with every default, written beside the results so that it can be read back.
enum ResolvedConfiguration {
    static let environmentKey = "environment"

    /// YAML of the configuration's keys, and below them where it ran, which is ignored on reading. The same run on the
    /// same machine gives the same bytes.
    static func yaml(_ configuration: JSON, environment: RunConfiguration.Environment) -> String {
        var lines = ["# The resolved configuration. Everything below 'environment' is ignored on reading."]
        var members = configuration.object?.members ?? []
        members.append((environmentKey, environment.json))
        for (key, value) in members {
            if let section = value.object, key != "lora" {
                lines.append("\(key):")
                lines += section.members.map { "  \($0.key): \(flow($0.value))" }
            } else {
                lines.append("\(key): \(flow(value))")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// A value on one line, as YAML 1.1 and 1.2 both read it.
    private static func flow(_ value: JSON) -> String {
        switch value {
        case .number(let number):
            // YAML 1.1 takes 1e-05 for a string: the mantissa needs a dot.
            let text = number.description
            return text.contains(".") ? text : text.replacing("e", with: ".0e")
        case .string(let text) where text.wholeMatch(of: /[a-z][a-z0-9_.\-]*/) != nil: return text
        case .array(let elements): return "[\(elements.map(flow).joined(separator: ", "))]"
        case .object(let object):
            return "{\(object.members.map { "\($0.key): \(flow($0.value))" }.joined(separator: ", "))}"
        default: return value.description
        }
    }
}
