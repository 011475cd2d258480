import Coordinator
import Foundation

extension Communicator {
    /// Collective. The results of `count` pieces of work, dealt out to the ranks, in order on every rank.
    func share<Value: Codable>(_ count: Int, _ work: (Int) throws -> Value) throws -> [Value] {
        let mine = try agree { try JSONEncoder().encode(stride(from: rank, to: count, by: size).map(work)) }
        let all = try allGather(mine).map { try JSONDecoder().decode([Value].self, from: $0) }
        return (0..<count).map { all[$0 % size][$0 / size] }
    }
}
