// Command images builds one Medusa shop in three ways and sets them side by side, in size and time: by the Dockerfile that
// `medusa-deploy init` writes, by one that does what Medusa's deployment guide says, and by that of Medusa's Docker guide,
// which is of a development server. All build with the same BuildKit on the same stand-in for the official Node image.
//
// It asserts that ours is the smallest, and that a change of the source leaves its dependencies alone; of times it asserts
// nothing.
package main
