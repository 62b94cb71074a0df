package docker

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// A task's network needs a process to hold it, which must be there offline and on every system that has Docker. So the
// program that does nothing is made here: an ELF file of one segment with a system call in a loop.

// Pause calls of the kernel, for ever. As the first process of its namespace it gets no signal but SIGKILL.
var pauseCode = map[string]struct {
	machine elf.Machine
	code    []byte
}{
	"amd64": {elf.EM_X86_64, []byte{
		0xb8, 34, 0, 0, 0, // mov eax, SYS_pause
		0x0f, 0x05, // syscall
		0xeb, 0xf7, // jmp to the beginning
	}},
	"arm64": {elf.EM_AARCH64, words(
		0xd2800000, 0xd2800001, 0xd2800002, 0xd2800003, 0xd2800004, // mov x0…x4, 0
		0xd2800928, // mov x8, SYS_ppoll
		0xd4000001, // svc 0
		0x17fffff9, // b to the beginning
	)},
}

func words(all ...uint32) []byte {
	var code []byte
	for _, one := range all {
		code = binary.LittleEndian.AppendUint32(code, one)
	}
	return code
}

// pauseProgram is a program for Linux that waits for ever.
func pauseProgram(architecture string) ([]byte, error) {
	p, ok := pauseCode[architecture]
	if !ok {
		return nil, fmt.Errorf("the Docker Engine runs on %s; amd64 and arm64 are known", architecture)
	}
	const base, headers = 0x400000, 64 + 56 // the sizes of the two headers below
	size := uint64(headers + len(p.code))
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(p.machine), Version: uint32(elf.EV_CURRENT),
		Entry: base + headers, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	segment := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 0x1000,
	}
	var file bytes.Buffer
	for _, part := range []any{header, segment, p.code} {
		if err := binary.Write(&file, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	return file.Bytes(), nil
}
