// Package awsclient gives what every AWS client of this program shares: credentials, the endpoint, retries that never
// end a wait, one token bucket per API category, and errors that say what is missing and how to get it.
//
// It knows how AWS calls fail, and must not know what they are for: no releases, images or services here. It never
// imports localaws: it meets local AWS only over the wire.
package awsclient
