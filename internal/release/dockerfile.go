package release

// Instruction is one instruction of a Dockerfile, as the builder reads it. It holds no value of an ARG, and of ENV
// only what Values says.
type Instruction struct {
	// Name is FROM, ARG, RUN, …; SYNTAX for the line that names a frontend, MOUNT for what a RUN mounts.
	Name string
	// Line counts from 1.
	Line int
	// Stage is the stage that it belongs to, from 0; -1: before the first.
	Stage int
	// Words are, of FROM: the image or stage, and the stage's own name; of COPY, ADD and MOUNT: the sources; of RUN, CMD
	// and ENTRYPOINT: the command; of ARG: the names; of ENV: the names that get a value; of USER: the user; of WORKDIR: the
	// directory; of HEALTHCHECK: the test.
	Words []string
	// Platform is, of FROM, the --platform: "$BUILDPLATFORM", "linux/amd64"; empty: what is built for.
	Platform string
	// To is where COPY and ADD put it.
	To string
	// Values are, of ENV, those that switch an app and are no secret, by name: NODE_ENV and what sounds like it.
	Values map[string]string
	// From is the stage or image that COPY and MOUNT take from; empty: the build context.
	From string
	// Shell tells that RUN, CMD or ENTRYPOINT has a shell run its command.
	Shell bool
	// Verified tells that ADD has a checksum for what it downloads.
	Verified bool
}

// Word is the n-th word, from 0; empty when there are fewer.
func (i Instruction) Word(n int) string {
	if n >= len(i.Words) {
		return ""
	}
	return i.Words[n]
}
