package meter

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	hwmonCounters = "hwmon energy"
	hwmonSensors  = "hwmon power"
)

var hwmonFile = regexp.MustCompile(`^(?:energy\d+_input|power\d+_(?:input|average))$`)

// hwmonScopes says what the chips measure that count whole packages or the whole
// machine, by the name of the chip and the beginning of the label: every other
// one counts a part. Sources: the Linux kernel's Documentation/hwmon/
// {amd_energy,fam15h_power,acpi_power_meter}.rst; drivers/hwmon/macsmc-hwmon.c.
var hwmonScopes = []struct {
	chip, label string
	scope       scope
}{
	{"amd_energy", "Esocket", wholePackage},
	{"fam15h_power", "", wholePackage},
	{"power_meter", "", wholeMachine},
	{"macsmc_hwmon", "Total System Power", wholeMachine},
}

// findHwmon lists the counters and sensors of the hwmon tree under sysfs: the
// mean power of a sensor where it shows that too. Source: the Linux kernel's
// Documentation/hwmon/sysfs-interface.rst: energyN_input in µJ, powerN_input and
// powerN_average in µW.
func findHwmon(env environment) []*gauge {
	paths, _ := filepath.Glob(filepath.Join(env.sysfs, "class/hwmon/hwmon*/*")) // the pattern is well-formed
	seen := map[string]bool{}
	var out []*gauge
	for _, path := range paths {
		dir, file := filepath.Split(path)
		if !hwmonFile.MatchString(file) || len(out) == maxZones {
			continue
		}
		channel, kind, _ := strings.Cut(file, "_")
		if g := hwmonGauge(env, dir, channel, kind); !seen[dir+channel] { // Note: average sorts before input.
			seen[dir+channel] = true
			if seen[g.domain] {
				g.domain += fmt.Sprintf(" (%s)", filepath.Base(dir))
			}
			seen[g.domain] = true
			out = append(out, g)
		}
	}
	return out
}

// hwmonGauge returns the gauge of a channel, such as energy1.
func hwmonGauge(env environment, dir, channel, kind string) *gauge {
	chip, label := firstLine(env.read, dir, "name"), firstLine(env.read, dir, channel+"_label")
	g := &gauge{family: hwmonCounters, named: true, domain: chip + " " + label}
	file := numberFile{filepath.Join(dir, channel+"_"+kind), env.read, "microjoules", unlockFiles(filepath.Join(dir, "energy*_input"))}
	g.source = "counter, hwmon " + chip
	if strings.HasPrefix(channel, "power") {
		g.family, g.sampled = hwmonSensors, true
		g.source = fmt.Sprintf("power sampled every %v, hwmon %s", sampleEvery, chip)
		file.unit, file.unlock = "microwatts", unlockFiles(filepath.Join(dir, "power*_input"), filepath.Join(dir, "power*_average"))
	}
	if label == "" {
		g.domain = chip + " " + channel
	}
	for _, s := range hwmonScopes {
		if chip == s.chip && strings.HasPrefix(label, s.label) {
			g.scope = s.scope
		}
	}
	g.raw = file.value
	return g
}

// hwmonTotal returns the group of whole packages, or else of the whole machine,
// nil where there is neither.
func hwmonTotal(gauges []*gauge) *group {
	if t := scopeTotal(gauges, wholePackage, DomainTotal); t != nil {
		return t
	}
	return scopeTotal(gauges, wholeMachine, DomainMachine)
}

// scopeTotal returns the group of the gauges of a scope, nil where there is
// none.
func scopeTotal(gauges []*gauge, s scope, domain string) *group {
	var total *group
	var names []string
	for _, g := range gauges {
		if g.scope == s {
			if total == nil {
				total = &group{domain: domain, source: g.source}
			}
			total.gauges = append(total.gauges, g)
			names = append(names, g.domain)
		}
	}
	if total != nil {
		total.reason = total.lost()
		total.source += ": " + strings.Join(names, " + ")
	}
	return total
}
