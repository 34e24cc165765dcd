// SPDX-License-Identifier: MPL-2.0

//! Sparse matrices over GF(2).

/// Rows of a sparse binary matrix, each the list of the columns that have a one, in no order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    columns: Vec<u32>,
    /// Where each row ends in `columns`.
    ends: Vec<u32>,
}

impl Rows {
    /// Adds a row.
    pub(crate) fn push(&mut self, columns: impl IntoIterator<Item = u32>) {
        self.columns.extend(columns);
        self.ends.push(self.columns.len() as u32);
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The columns of a row.
    #[inline(always)]
    pub(crate) fn row(&self, index: usize) -> &[u32] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.columns[start as usize..self.ends[index] as usize]
    }

    /// All rows in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..self.len()).map(|index| self.row(index))
    }

    /// The matrix with rows and columns exchanged; `columns` is how many there are.
    pub(crate) fn transposed(&self, columns: usize) -> Self {
        let mut ends = vec![0; columns];
        for &column in &self.columns {
            ends[column as usize] += 1;
        }
        let mut end = 0;
        for count in &mut ends {
            end += *count;
            *count = end - *count;
        }
        // `ends` has where each transposed row starts; filling it moves that to where it ends.
        let mut rows = vec![0; self.columns.len()];
        for (index, row) in self.iter().enumerate() {
            for &column in row {
                let end = &mut ends[column as usize];
                rows[*end as usize] = index as u32;
                *end += 1;
            }
        }
        Self { columns: rows, ends }
    }

    /// Number of ones.
    pub(crate) fn entries(&self) -> usize {
        self.columns.len()
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        (self.columns.len() + self.ends.len()) * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposes() {
        let mut rows = Rows::default();
        for row in [&[0, 2][..], &[], &[2, 3, 0], &[3]] {
            rows.push(row.iter().copied());
        }
        let transposed = rows.transposed(5);
        assert_eq!(transposed.iter().collect::<Vec<_>>(), [&[0, 2][..], &[], &[0, 2], &[2, 3], &[]]);
        assert_eq!(rows.row(2), [2, 3, 0]);
    }
}
