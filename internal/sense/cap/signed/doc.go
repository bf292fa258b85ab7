// Package signed signs messages of the Common Alerting Protocol and verifies
// their signatures: enveloped XML signatures (W3C XML Signature 1.1) over the
// whole message, with RSA or ECDSA and SHA-2.
//
// [Open] is for what comes in. It gives the message as the bytes that were signed
// say it, never as the document around them does: what somebody has wrapped
// around, moved or added beside a signature is not read. It takes one signature,
// which ends the message and covers all of it; everything else about signatures
// that XML allows is refused. Whom a message may be signed by is the caller's:
// what a signature says of its own key counts for nothing.
//
// [Sign] is for what goes out.
package signed
