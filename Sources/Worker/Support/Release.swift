/// What this program is called, and its version.
package enum Release {
    package static let program = "misp-worker"
    package static let version = "0.1.0"
}
