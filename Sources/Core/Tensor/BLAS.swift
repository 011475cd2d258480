import COpenBLAS
import Synchronization

/// How matrix products are computed on this machine.
public enum BLAS {
    private static let threadCount = Atomic<Int>(1)

    /// Threads of one product. One is the default: a rank a core is faster.
    public static func setThreads(_ count: Int) {
        threadCount.store(max(count, 1), ordering: .relaxed)
        openblas_set_num_threads(Int32(max(count, 1)))
    }
    public static var threads: Int { threadCount.load(ordering: .relaxed) }

    /// What decides about the last bits of float32 products: our own kernels, which all give the same, or those that
    /// OpenBLAS chose for this processor.
    public static var arithmetic: String {
        FloatProduct.current == nil ? "OpenBLAS \(openBLASKernel) \(threads)" : "fused"
    }
    /// In words: `AVX-512`, or `OpenBLAS Haswell`.
    public static var kernel: String { FloatProduct.current?.name ?? "OpenBLAS \(openBLASKernel)" }
    /// The kernel that OpenBLAS chose for this processor, such as `Haswell`.
    public static var openBLASKernel: String { String(cString: openblas_get_corename()) }
    public static var configuration: String { String(cString: openblas_get_config()) }
}
