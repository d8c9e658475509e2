# make run builds everything and runs the main study; make check is what CI runs.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
PUREGO := ./kernels/... ./arch/...
# Where there are goroutines; of the kernels, the tests that use several threads.
RACE := ./arch/nn ./experiments ./experiments/meter

export CGO_ENABLED := 0

.PHONY: run build charts test check fmt vet staticcheck generate generated purego arm64 race fuzz smoke clean

run: build charts
	bin/workbench run

# The commit is stamped into the binary where there is a repository.
VCS := $(shell git rev-parse HEAD >/dev/null 2>&1 && echo true || echo false)

build:
	go build -trimpath -buildvcs=$(VCS) -o bin/workbench ./cmd/workbench

# The script of interactive charts; without it reports have pictures.
charts:
	@reports/web/install.sh

test:
	go test ./...

check: fmt vet staticcheck generated test purego arm64 race fuzz smoke

fmt:
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "gofmt differs in:"; echo "$$files"; exit 1; }

vet:
	go vet ./...
	go vet -tags purego ./...

staticcheck:
	go run $(STATICCHECK) ./...
	go run $(STATICCHECK) -tags purego $(PUREGO)

# Writes the assembly, its declarations and the choice among implementations.
generate:
	go generate ./kernels/...

# The committed assembly is what the generators write today.
generated:
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	cp -r go.mod go.sum kernels "$$tmp"; \
	(cd "$$tmp" && go generate ./kernels/... && go test -C kernels/_asm ./...); \
	diff -r kernels "$$tmp/kernels" || { echo "generated assembly is not fresh: make generate"; exit 1; }

# Ablations change no kernel: their contract is held with the assembly alone.
purego:
	go test -tags purego ./kernels/...
	go test -short -tags purego ./arch/...

# The tests of the kernels on 64-bit Arm, emulated where that is another machine.
arm64:
	GOARCH=arm64 go build ./...
	@if [ "$$(go env GOHOSTARCH)" = arm64 ]; then \
		go test -short $(PUREGO); \
	elif command -v qemu-aarch64-static >/dev/null; then \
		GOARCH=arm64 go test -short -exec qemu-aarch64-static ./kernels/... ./arch/nn; \
	else \
		echo "arm64: built only, the tests need qemu-user-static"; \
	fi

# Left out are tests that go by the clock, which the race detector slows down, and those of files. What generic
# recurrences share among threads, those in assembly share in the same way.
race:
	@if command -v "$$(go env CC)" >/dev/null; then \
		CGO_ENABLED=1 go test -race -short -skip "^(TestDeath|TestApart|TestHostileText|TestResume.*|TestDiskFull.*)$$" $(RACE); \
		CGO_ENABLED=1 go test -race -run "Threads|Goroutines|Pool" -skip "Threads/impl=generic/(lstm|gru|wkv|shift)" ./kernels/...; \
	else \
		echo "race detector: left out, it needs a C compiler and there is none"; \
	fi

# Every fuzz target for a little: without -fuzzminimizetime 1x those that find
# new inputs fast do little but make them smaller.
FUZZTIME := 2s

fuzz:
	@for pkg in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n 1 dirname | sort -u); do \
		for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "fuzz: $$pkg $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1x $$pkg | tail -n 20; \
		done; \
	done

smoke: build
	@tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	report=$$(bin/workbench run --profile smoke --out "$$tmp/run" | tail -n 1); \
	test -s "$$report" || { echo "smoke run: no report at '$$report'"; exit 1; }; \
	echo "smoke run: ok"

clean:
	rm -rf bin
