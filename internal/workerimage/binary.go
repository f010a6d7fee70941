package workerimage

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
)

// UnusableWorker says why a binary cannot be the worker of an image.
type UnusableWorker struct{ Problem string }

func (e *UnusableWorker) Error() string {
	return fmt.Sprintf("the worker's binary is not usable in an image: %s; build it with `go run ./scripts/image`, "+
		"which `sam build` does by functions/workerimage/Makefile", e.Problem)
}

// architectures are the processors of Fargate.
var architectures = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}

// inspect returns the architecture of a Linux program that needs nothing but the kernel.
func inspect(worker []byte) (arch string, err error) {
	program, err := elf.NewFile(bytes.NewReader(worker))
	if err != nil {
		return "", &UnusableWorker{Problem: "it is no Linux program: " + err.Error()}
	}
	arch, known := architectures[program.Machine]
	if !known {
		return "", &UnusableWorker{Problem: fmt.Sprintf("it is for %v; Fargate has x86-64 and arm64", program.Machine)}
	}
	for _, segment := range program.Progs {
		if segment.Type == elf.PT_INTERP {
			libraries, _ := program.ImportedLibraries()
			return "", &UnusableWorker{Problem: fmt.Sprintf(
				"it is linked against C libraries (%v), which the image has not", libraries)}
		}
	}
	return arch, nil
}

// fingerprint identifies a worker's binary.
func fingerprint(worker []byte) string {
	sum := sha256.Sum256(worker)
	return "sha256:" + hex.EncodeToString(sum[:])
}
