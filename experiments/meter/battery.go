package meter

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	battery = "battery"
	// maxBatteries is more than the supplies of any machine.
	maxBatteries = 64
)

// supplies are the batteries of this machine, by their directories.
type supplies struct {
	dirs []string
	read func(path string) (string, error)
}

// findBattery returns the power that the batteries of the machine deliver
// together, nil where it has none. Batteries of devices, such as mice, do not
// count. Source: the Linux kernel's Documentation/ABI/testing/sysfs-class-power:
// power_now in µW, current_now in µA, voltage_now in µV.
func findBattery(env environment) []*gauge {
	all, _ := filepath.Glob(filepath.Join(env.sysfs, "class/power_supply/*")) // the pattern is well-formed
	s := supplies{read: env.read}
	var names []string
	for _, dir := range all[:min(len(all), maxBatteries)] {
		if firstLine(env.read, dir, "type") == "Battery" && firstLine(env.read, dir, "scope") != "Device" {
			s.dirs, names = append(s.dirs, dir), append(names, filepath.Base(dir))
		}
	}
	if len(s.dirs) == 0 {
		return nil
	}
	source := fmt.Sprintf("power sampled every %v, which a battery renews only every few seconds", sampleEvery)
	return []*gauge{{family: battery, domain: strings.Join(names, " + "), source: source, scope: wholeMachine, sampled: true, named: true, raw: s.power}}
}

// power returns the sum of the power in µW of the batteries, at least one of
// which discharges, or the reason why it is not the power of the machine.
func (s supplies) power() (sum uint64, reason string) {
	discharging := false
	for _, dir := range s.dirs {
		switch status := firstLine(s.read, dir, "status"); status {
		case "Discharging":
			w, err := s.of(dir)
			if err != nil {
				return 0, err.Error()
			}
			sum, discharging = sum+w, true
		case "Charging":
			return 0, fmt.Sprintf("%s is charging: unplug the charger to measure the power of the machine", filepath.Base(dir))
		}
	}
	if !discharging {
		return 0, "the battery does not discharge: unplug the charger to measure the power of the machine"
	}
	return sum, ""
}

// of returns the power of one battery in µW. Note: some drivers show a power or
// a current that flows out as negative.
func (s supplies) of(dir string) (uint64, error) {
	watts, err := s.number(dir, "power_now")
	if !errors.Is(err, fs.ErrNotExist) {
		return uint64(watts), err
	}
	amperes, err := s.number(dir, "current_now")
	if err != nil {
		return 0, err
	}
	volts, err := s.number(dir, "voltage_now")
	return uint64(amperes * volts * 1e-6), err
}

// number reads a number of at most 40 bits, without its sign.
func (s supplies) number(dir, name string) (float64, error) {
	text, err := s.read(filepath.Join(dir, name))
	if err != nil {
		return 0, fmt.Errorf("the power cannot be read: %w", err)
	}
	v, err := strconv.ParseInt(text, 10, 40)
	if err != nil {
		return 0, fmt.Errorf("%s is not a number: %.40q", filepath.Join(dir, name), text)
	}
	return math.Abs(float64(v)), nil
}

// batteryTotal returns the group of the battery.
func batteryTotal(gauges []*gauge) *group { return scopeTotal(gauges, wholeMachine, DomainMachine) }
