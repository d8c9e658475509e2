package record

// identity is what tells one sample from another: the cell and, within it, the
// round of a timed sample. What a file written by hand may vary beside them
// counts too.
type identity struct {
	Part, Label, Cell, Phase, Check, Error string
	Depth, Chunk, Context, Batch, Threads  int
	Round                                  int
	Seed                                   uint64
	LR                                     float64
}

func (r *Record) identity() identity {
	id := identity{Part: r.Part, Label: r.Label, Cell: r.Cell, Phase: r.Phase, Error: r.Error,
		Depth: r.Depth, Chunk: r.Chunk, Context: r.Context, Batch: r.Batch, Threads: r.Threads, Round: r.Round, Seed: r.Seed}
	if r.Quality != nil {
		id.LR = r.Quality.LR
	}
	if r.Check != nil {
		id.Check = r.Check.Name
	}
	return id
}

// once returns the first record of every sample and the number of the others.
func once(records []Record) (first []Record, repeats int) {
	seen := map[identity]bool{}
	for i := range records {
		if id := records[i].identity(); !seen[id] {
			seen[id] = true
			first = append(first, records[i])
		}
	}
	return first, len(records) - len(first)
}
