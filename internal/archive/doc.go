// Package archive keeps every action that the stream took, for ever, so that its
// completeness can be proven to somebody who trusts neither the service nor its disk.
//
// An archive is a folder, or a prefix in S3-compatible storage:
//
//	key.pub                    the public key of its checkpoints (a C2SP signed note's verifier key)
//	checkpoint                 a signed note: how many manifests there are and their RFC 6962 root
//	manifests/000000000001.ndjson
//	segments/000000000001-s1a2b3c4-00000000000000000001-00000000000000160000-1f2e3d4c.ndjson.zst
//	open.ndjson                what is not sealed yet (a folder only)
//
// A segment is zstd-compressed NDJSON, one action a line (see Line), the positions of
// one incarnation of the stream from a first to a last. In it the lines of an
// institution stand together, in the order of the stream, and are compressed in frames
// of about 512 KiB, each of which can be read alone.
//
// A manifest is two lines of JSON. The first (Head) says which positions the segment
// holds, what its bytes hash to, the RFC 6962 root over its lines in the order of the
// stream, the hash of the manifest before it, and that of its own second line. The
// second (Details) says where the frames are and, for each institution, how many lines
// it has, on which days, and the RFC 6962 root over them. The checkpoint signs the
// RFC 6962 root over the first lines of all manifests.
//
// A position is in exactly one segment, or in a gap that a manifest names.
package archive
