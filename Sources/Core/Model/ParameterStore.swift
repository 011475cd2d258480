/// Where a trainable tensor lies in the flat buffers of parameters, gradients and moments.
public struct ParameterSlot: Sendable, Equatable {
    /// The tensor's name in files that are written.
    public let name: String
    /// The tensor's shape in those files; its elements are `rows` × `columns`.
    public let shape: [Int]
    /// The place of its first element in each flat buffer.
    public let offset: Int
    /// Rows that the model computes with.
    public let rows: Int
    /// Columns that the model computes with.
    public let columns: Int

    /// Elements; they lie without gaps.
    public var count: Int { rows * columns }
}

/// All trainable tensors in one flat buffer, views by name. The order of reservation is the order of reduction.
///
/// Tensors are reserved while the model is built and filled by `seal`; the buffer may then be moved (`adopt`) to
/// memory that ranks of a host share.
public final class ParameterStore<Element: Scalar>: @unchecked Sendable {
    /// In the order of reservation, one behind the other.
    public private(set) var slots: [ParameterSlot] = []
    /// Elements of all tensors.
    public private(set) var count = 0
    /// `count` elements once the store is sealed; nothing before. `adopt` and `settle` replace it.
    public private(set) var values: UnsafeMutablePointer<Element>
    /// Whether training has changed the values.
    package var isUpdated = false
    private var owner: AnyObject
    private var initializers: [(Matrix<Element>) throws -> Void] = []

    /// Without tensors yet.
    public init() {
        let empty = Storage<Element>(count: 0)
        owner = empty
        values = empty.base
    }

    /// Claims room for a tensor; `initialize` fills it when the store is sealed.
    func reserve(
        _ name: String, shape: [Int], rows: Int, columns: Int, initialize: @escaping (Matrix<Element>) throws -> Void
    ) -> ParameterSlot {
        let slot = ParameterSlot(name: name, shape: shape, offset: count, rows: rows, columns: columns)
        slots.append(slot)
        initializers.append(initialize)
        count += slot.count
        return slot
    }

    /// Allocates the buffer and sets the initial values, once, after the model is built.
    package func seal() throws {
        let storage = Storage<Element>(count: count)
        owner = storage
        values = storage.base
        for (slot, initialize) in zip(slots, initializers) { try initialize(self[slot]) }
        initializers = []
    }

    /// Moves the values to `memory`, which holds `count` elements and lives as long as `owner`.
    ///
    /// - Parameter copying: false where somebody else puts the same values there.
    public func adopt(_ memory: UnsafeMutablePointer<Element>, owner: AnyObject, copying: Bool = true) {
        if copying { memory.update(from: values, count: count) }
        values = memory
        self.owner = owner
    }

    /// Moves the values to memory of their own.
    public func settle() {
        let storage = Storage<Element>(count: count)
        adopt(storage.base, owner: storage)
    }

    /// A tensor's values where they lie now; once they have moved, ask again.
    public subscript(slot: ParameterSlot) -> Matrix<Element> {
        Matrix(owner: owner, base: values + slot.offset, rows: slot.rows, columns: slot.columns)
    }
}

/// A flat gradient with the layout of the parameters; backward passes add to it.
public struct Gradient<Element: Scalar>: @unchecked Sendable {
    /// As many elements as the parameters have.
    public let base: UnsafeMutablePointer<Element>
    private let owner: AnyObject

    /// A view of memory that `owner` keeps alive. It is not cleared.
    public init(_ base: UnsafeMutablePointer<Element>, owner: AnyObject) {
        self.base = base
        self.owner = owner
    }

    /// All zero, in memory of its own.
    public init(zerosFor store: ParameterStore<Element>) {
        let storage = Storage<Element>(count: store.count)
        storage.base.update(repeating: 0, count: store.count)
        self.init(storage.base, owner: storage)
    }

    /// A tensor's part: writing to it changes the gradient.
    public subscript(slot: ParameterSlot) -> Matrix<Element> {
        Matrix(owner: owner, base: base + slot.offset, rows: slot.rows, columns: slot.columns)
    }
}
