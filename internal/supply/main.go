// Command supply says what the binary actionlog is made of: the licences of all
// modules in it (THIRD_PARTY_LICENSES), and an SBOM. It is for whoever builds
// and is not shipped. docs/supply-chain.md says how to use it.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
)

// supply licences writes THIRD_PARTY_LICENSES, or with -check fails if it is not
// what would be written; supply sbom prints the SBOM of a binary; supply binaries fails
// if a binary is not what the name of its folder says.
var errUsage = errors.New("usage: supply licences [-check] | supply sbom [-version V] BINARY | supply binaries PLATFORM/BINARY…")

const mainPackage, licencesFile = "./cmd/actionlog", "THIRD_PARTY_LICENSES"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "supply:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	check := flags.Bool("check", false, "compare with the file instead of writing it")
	version := flags.String("version", "", "the version of the binary")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if args[0] == "binaries" && flags.NArg() > 0 {
		return checkBinaries(flags.Args())
	}
	modules, err := shipped(mainPackage)
	if err != nil {
		return err
	}
	switch {
	case args[0] == "licences" && flags.NArg() == 0:
		return licences(modules, *check)
	case args[0] == "sbom" && flags.NArg() == 1:
		return writeSBOM(os.Stdout, flags.Arg(0), *version, modules)
	}
	return errUsage
}

func licences(modules []module, check bool) error {
	want := notices(modules)
	if !check {
		return os.WriteFile(licencesFile, want, 0o644)
	}
	got, err := os.ReadFile(licencesFile)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s is not of the modules that are linked now: make licences, and look at the difference", licencesFile)
	}
	return nil
}
